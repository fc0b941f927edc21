/** F_LLM: causal, its cache equals the full forward, right padding does not matter, LoRA where it belongs. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import type { LoraConfig } from '../../../src/config.js';
import { startEngine } from '../../../src/engine/engine.js';
import * as tf from '../../../src/engine/tf.js';
import {
  type LayerCache,
  DecoderLm,
  DecoderAttention,
  DecoderLayer,
  DecoderMlp,
  layerContext,
} from '../../../src/networks/decoder-lm/decoder-lm.js';
import { Random } from '../../../src/random.js';
import { checkLayer } from '../../check-layer.js';
import { publishedShapes, SMALL, TINY } from '../../helpers/small-model.js';
import { buildRandom, largestDifference, normal, valuesOf } from '../../helpers/tensors.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

const TINY_LLAMA = { llm: TINY.llm, lora: TINY.lora };
const inputs = (random: Random): tf.Tensor[] => [normal(random, [2, 5, 48])];
const outputShapes = [[2, 5, 48]];

checkLayer('DecoderAttention', {
  create: () => new DecoderAttention(TINY_LLAMA),
  inputs,
  outputShapes,
  parameters: publishedShapes('model.layers.0.self_attn.'),
});

checkLayer('DecoderMlp', {
  create: () => new DecoderMlp(TINY_LLAMA),
  inputs,
  outputShapes,
  parameters: publishedShapes('model.layers.0.mlp.'),
});

checkLayer('DecoderLayer', {
  create: () => new DecoderLayer(TINY_LLAMA),
  inputs,
  outputShapes,
  parameters: publishedShapes('model.layers.0.'),
});

checkLayer('DecoderLm', {
  create: () => new DecoderLm(TINY_LLAMA),
  inputs,
  outputShapes,
  parameters: Object.fromEntries(
    Object.entries(publishedShapes('model.')).filter(([name]) => /^(embed_tokens|layers|norm)\./.test(name)),
  ),
  // `call` takes embeddings: the table is not read.
  withoutGradient: /^embed_tokens\./,
});

const SIZE = SMALL.llm.hiddenSize;

function llamaWith(lora: Partial<LoraConfig> = {}): DecoderLm {
  return buildRandom(new DecoderLm({ llm: SMALL.llm, lora: { ...SMALL.lora, ...lora } }), new Random(1));
}

/** Rows [from, to) of the time axis. */
function times(x: tf.Tensor, from: number, to: number): tf.Tensor {
  return tf.slice(x, [0, from, 0], [-1, to - from, -1]);
}

describe('DecoderLm', () => {
  test('is causal: a changed token changes its own and later states, no earlier one', () => {
    const llama = llamaWith();
    tf.tidy(() => {
      const x = normal(new Random(2), [2, 7, SIZE]);
      const change = tf.pad(tf.ones([2, 1, SIZE]), [
        [0, 0],
        [4, 2],
        [0, 0],
      ]);
      const difference = tf.sub(llama.call(tf.add(x, change)), llama.call(x));
      const moved = Array.from(tf.max(tf.abs(difference), 2).dataSync(), (value) => value > 1e-4);
      const expected = [false, false, false, false, true, true, true];
      expect(moved).toEqual([...expected, ...expected]);
      expect(Math.max(...valuesOf(times(difference, 0, 4)).map(Math.abs))).toBe(0);
    });
    llama.dispose();
  });

  test.each([[[7]], [[4, 3]], [[3, 1, 1, 1, 1]]])(
    'the cache, filled in steps of %j, gives the states of one forward',
    (steps) => {
      const llama = llamaWith();
      tf.tidy(() => {
        const x = normal(new Random(2), [2, 7, SIZE]);
        const [whole] = llama.forward(x, llama.context(0, 7, null));
        let past: LayerCache[] | null = null;
        let start = 0;
        const parts: tf.Tensor[] = [];
        for (const step of steps) {
          const context = llama.context(start, step, null);
          const [states, caches]: [tf.Tensor, LayerCache[]] = llama.forward(
            times(x, start, start + step),
            context,
            past,
          );
          parts.push(states);
          past = caches;
          start += step;
        }
        expect(largestDifference(valuesOf(tf.concat(parts, 1)), valuesOf(whole))).toBeLessThan(1e-5);
        expect(past?.map(({ keys, values }) => [keys.shape, values.shape])).toEqual(
          [0, 1].map(() => [
            [2, 2, 7, 6],
            [2, 2, 7, 6],
          ]),
        );
      });
      llama.dispose();
    },
  );

  test('what stands in the padding on the right changes nothing, and a row is the same alone', () => {
    const llama = llamaWith();
    tf.tidy(() => {
      const x = normal(new Random(2), [2, 6, SIZE]);
      const lengths = [6, 4];
      const noise = tf.pad(normal(new Random(3), [1, 2, SIZE], 10), [
        [1, 0],
        [4, 0],
        [0, 0],
      ]);
      const context = llama.context(0, 6, lengths);
      const [states] = llama.forward(x, context);
      const [noisy] = llama.forward(tf.add(x, noise), context);
      const valid = (y: tf.Tensor): tf.Tensor => times(tf.slice(y, [1, 0, 0], [1, -1, -1]), 0, 4);
      expect(valuesOf(valid(noisy))).toEqual(valuesOf(valid(states)));
      const [alone] = llama.forward(valid(x), llama.context(0, 4, null));
      expect(largestDifference(valuesOf(alone), valuesOf(valid(states)))).toBeLessThan(1e-5);
    });
    llama.dispose();
  });

  test('dropout: the seed decides, null switches it off, every layer and every adapter drops other inputs', () => {
    const llama = llamaWith({ dropout: 0.5 });
    tf.tidy(() => {
      const x = normal(new Random(2), [1, 5, SIZE]);
      const run = (seed: number | null): Float32Array => valuesOf(llama.forward(x, llama.context(0, 5, null, seed))[0]);
      expect(run(3)).toEqual(run(3));
      expect(largestDifference(run(3), run(4))).toBeGreaterThan(1e-3);
      expect(run(null)).toEqual(valuesOf(llama.call(x)));
      const seeds = [0, 1, 2].map((index) => layerContext(llama.context(0, 5, null, 3), index).dropoutSeed);
      expect(new Set(seeds).size).toBe(3);
      expect(layerContext(llama.context(0, 5, null), 1).dropoutSeed).toBeNull();
    });
    llama.dispose();
  });

  test.each(['gate_proj', 'up_proj', 'down_proj', 'o_proj', 'k_proj'])(
    'an adapter on %s is trained with dropout too',
    (target) => {
      const llama = llamaWith({ targets: [target], dropout: 0.5 });
      const folder = target === 'k_proj' || target === 'o_proj' ? 'self_attn' : 'mlp';
      const adapters = [...llama.namedParameters().keys()].filter((name) => name.includes('lora_'));
      expect(adapters).toEqual(
        [0, 1].flatMap((index) =>
          ['A', 'B'].map((ab) => `layers.${index}.${folder}.${target}.lora_${ab}.default.weight`),
        ),
      );
      tf.tidy(() => {
        const x = normal(new Random(2), [1, 5, SIZE]);
        const run = (seed: number | null): Float32Array =>
          valuesOf(llama.forward(x, llama.context(0, 5, null, seed))[0]);
        expect(largestDifference(run(3), run(null))).toBeGreaterThan(1e-3);
      });
      llama.dispose();
    },
  );

  test('without LoRA there is no adapter', () => {
    const llama = llamaWith({ r: 0 });
    expect([...llama.namedParameters().keys()].filter((name) => name.includes('lora'))).toEqual([]);
    llama.dispose();
  });
});
