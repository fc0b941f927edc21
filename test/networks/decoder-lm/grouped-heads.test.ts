/** Qwen2's way of F_LLM: shared keys and values, biases, biased scores, and rounded frequencies. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../../src/engine/engine.js';
import * as tf from '../../../src/engine/tf.js';
import { attentionSizes, DecoderAttention, DecoderLm } from '../../../src/networks/decoder-lm/decoder-lm.js';
import { Random } from '../../../src/random.js';
import { without } from '../../../src/schema.js';
import { checkLayer } from '../../check-layer.js';
import { SMALL_SELF1E } from '../../helpers/small-self1e.js';
import { buildRandom, largestDifference, normal, valuesOf } from '../../helpers/tensors.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

const { llm, lora } = SMALL_SELF1E;
const PLAIN = { ...lora, r: 0 };
const [SIZE, GROUP] = [llm.hiddenSize, 2];

checkLayer('DecoderAttention with shared keys and values', {
  create: () => new DecoderAttention({ llm, lora: PLAIN }),
  inputs: (random) => [normal(random, [2, 5, SIZE])],
  outputShapes: [[2, 5, SIZE]],
  parameters: {
    ...{ 'q_proj.weight': [SIZE, SIZE], 'q_proj.bias': [SIZE] },
    ...{ 'k_proj.weight': [SIZE / GROUP, SIZE], 'k_proj.bias': [SIZE / GROUP] },
    ...{ 'v_proj.weight': [SIZE / GROUP, SIZE], 'v_proj.bias': [SIZE / GROUP] },
    'o_proj.weight': [SIZE, SIZE],
  },
});

/** Heads of keys or values [..., heads·d], each as often as queries share it, beside each other. */
function repeated(x: tf.Tensor): tf.Tensor {
  const { headSize, keyValueHeads } = attentionSizes(llm);
  const heads = tf.split(x, keyValueHeads, x.rank - 1);
  expect(heads[0]?.shape.at(-1)).toBe(headSize);
  return tf.concat(
    heads.flatMap((head) => Array.from({ length: GROUP }, () => head)),
    -1,
  );
}

/** The same model with a head of keys and values for each of queries. */
function ungrouped(grouped: DecoderLm): DecoderLm {
  const whole = new DecoderLm({ llm: without(llm, 'numKeyValueHeads'), lora: PLAIN });
  whole.build();
  for (const [name, { variable }] of whole.namedParameters()) {
    const given = grouped.namedParameters().get(name)?.variable.read() as tf.Tensor;
    tf.tidy(() => {
      variable.write(/[kv]_proj\./.test(name) ? repeated(given) : given);
    });
  }
  return whole;
}

describe('DecoderLm with shared keys and values', () => {
  test('equals one whose keys and values are repeated, over a cache too, which is as small as they are', () => {
    const model = buildRandom(new DecoderLm({ llm, lora: PLAIN }), new Random(1));
    const whole = ungrouped(model);
    const before = tf.memory().numTensors;
    tf.tidy(() => {
      const x = normal(new Random(2), [2, 7, SIZE]);
      const context = model.context(0, 7, [7, 5]);
      const [found, caches] = model.forward(x, context);
      const [expected] = whole.forward(x, context);
      expect(largestDifference(valuesOf(found), valuesOf(expected))).toBeLessThan(5e-6);
      expect(caches[0]?.keys.shape).toEqual([2, 2, 7, SIZE / 4]);
      const [first] = [tf.slice(x, [0, 0, 0], [-1, 4, -1])];
      const [, past] = model.forward(first, model.context(0, 4, null));
      const [rest] = model.forward(tf.slice(x, [0, 4, 0], [-1, 3, -1]), model.context(4, 3, null), past);
      const [all] = model.forward(x, model.context(0, 7, null));
      expect(largestDifference(valuesOf(rest), valuesOf(tf.slice(all, [0, 4, 0], [-1, -1, -1])))).toBeLessThan(5e-6);
    });
    expect(tf.memory().numTensors).toBe(before);
    for (const each of [model, whole]) each.dispose();
  });

  test('biases of queries, keys and values matter; the others have none', () => {
    const model = buildRandom(new DecoderLm({ llm, lora: PLAIN }), new Random(3));
    const biases = [...model.namedParameters().keys()].filter((name) => name.endsWith('.bias'));
    expect(biases).toEqual(
      [0, 1].flatMap((layer) => ['q', 'k', 'v'].map((name) => `layers.${layer}.self_attn.${name}_proj.bias`)),
    );
    tf.tidy(() => {
      const x = normal(new Random(4), [1, 5, SIZE]);
      const before = valuesOf(model.call(x));
      for (const name of ['layers.0.self_attn.q_proj.bias', 'layers.0.self_attn.v_proj.bias']) {
        const variable = model.namedParameters().get(name)?.variable;
        const kept = variable?.read().clone() as tf.Tensor;
        variable?.write(tf.add(kept, 1));
        expect(largestDifference(valuesOf(model.call(x)), before)).toBeGreaterThan(1e-3);
        variable?.write(kept);
      }
    });
    model.dispose();
  });
});

describe('biased scores', () => {
  const HIDDEN = -1e30;

  /** [1, 1, T, T]. */
  function bias(time: number, sees: (query: number, key: number) => boolean): tf.Tensor4D {
    const values = Array.from({ length: time * time }, (_, i) => (sees(Math.floor(i / time), i % time) ? 0 : HIDDEN));
    return tf.tensor4d(values, [1, 1, time, time]);
  }

  test('of the causal rule they are the causal attention', () => {
    const model = buildRandom(new DecoderLm({ llm, lora: PLAIN }), new Random(5));
    tf.tidy(() => {
      const x = normal(new Random(6), [2, 6, SIZE]);
      const context = model.context(0, 6, null);
      const [causal] = model.forward(x, context);
      const scoreBias = tf.tile(
        bias(6, (query, key) => key <= query),
        [2, 1, 1, 1],
      );
      const [biased] = model.forward(x, { ...context, scoreBias });
      expect(largestDifference(valuesOf(biased), valuesOf(causal))).toBeLessThan(2e-6);
    });
    model.dispose();
  });

  test('a query sees a later key where they say so, and no other', () => {
    const model = buildRandom(new DecoderLm({ llm: { ...llm, numHiddenLayers: 1 }, lora: PLAIN }), new Random(7));
    tf.tidy(() => {
      const x = normal(new Random(8), [1, 6, SIZE]);
      const context = {
        ...model.context(0, 6, null),
        scoreBias: bias(6, (query, key) => key <= query || (query === 1 && key === 4)),
      };
      const change = tf.pad(tf.ones([1, 1, SIZE]), [
        [0, 0],
        [4, 1],
        [0, 0],
      ]);
      const difference = tf.max(
        tf.abs(tf.sub(model.forward(tf.add(x, change), context)[0], model.forward(x, context)[0])),
        [0, 2],
      );
      const moved = [...valuesOf(difference)].flatMap((value, time) => (value > 1e-5 ? [time] : []));
      expect(moved).toEqual([1, 4, 5]);
    });
    model.dispose();
  });
});

test("rounded frequencies are bfloat16's, and change positions that are far away", () => {
  const model = new DecoderLm({ llm: { ...llm, ropeFrequencies: 'bf16' }, lora: PLAIN });
  const exact = new DecoderLm({ llm, lora: PLAIN });
  tf.tidy(() => {
    const [rounded, plain] = [model.context(0, 90, null).cos, exact.context(0, 90, null).cos];
    const half = attentionSizes(llm).headSize / 2;
    for (let i = 0; i < half; i++) {
      const bits = new Uint32Array(Float32Array.of(llm.ropeTheta ** (-i / half)).buffer)[0] as number;
      // To the nearest of 16 bits, ties to even.
      const nearest = ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) << 16;
      const frequency = new Float32Array(Uint32Array.of(nearest >>> 0).buffer)[0] as number;
      const [found] = tf.slice(rounded, [89, i], [1, 1]).dataSync();
      expect(found).toBeCloseTo(Math.cos(Math.fround(89 * frequency)), 5);
    }
    expect(largestDifference(valuesOf(rounded), valuesOf(plain))).toBeGreaterThan(1e-4);
  });
});
