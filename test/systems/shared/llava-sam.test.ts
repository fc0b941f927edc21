/** The whole model: what it is to TensorFlow.js's Layers API, and that rows of a batch do not see each other. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type ModelConfig, parseModelConfig, segIds } from '../../../src/systems/shared/model-config.js';
import { startEngine } from '../../../src/engine/engine.js';
import * as tf from '../../../src/engine/tf.js';
import { UserError } from '../../../src/errors.js';
import { readJson } from '../../../src/io/json/json-file.js';
import { readSafetensors } from '../../../src/io/safetensors/safetensors.js';
import { LlavaSam } from '../../../src/systems/shared/llava-sam.js';
import { MultimodalRows, type TokenBatch } from '../../../src/networks/multimodal-rows.js';
import { PUBLISHED_PREFIX, storableWeights } from '../../../src/checkpoints/weights.js';
import { Random } from '../../../src/random.js';
import { ModelCase } from '../../../src/verification/model-case.js';
import { fixture } from '../../helpers/fixtures.js';
import { wholeForward } from '../../helpers/whole-forward.js';

const recorded = new ModelCase(fixture('gsva-tiny'));
const weightsPath = fixture('gsva-tiny', 'model.safetensors');
let gsva: LlavaSam;
let tensors = 0;

beforeAll(async () => {
  await startEngine();
  gsva = recorded.buildModel();
});
afterAll(() => {
  gsva.dispose();
});
beforeEach(() => {
  tensors = tf.memory().numTensors;
});
afterEach(() => {
  expect(tf.memory().numTensors).toBe(tensors); // no test leaves a tensor behind
});

interface Outputs {
  readonly logits: Float32Array;
  readonly lowResMasks: Float32Array;
  readonly maskRows: readonly number[];
}

/** The recorded batch, or one conversation of it alone. */
function forward(tokens: TokenBatch, row: number | null = null): Outputs {
  const found: Outputs[] = [];
  tf.tidy(() => {
    const chosen = (x: tf.Tensor4D): tf.Tensor4D => (row === null ? x : tf.slice(x, [row, 0, 0, 0], [1, -1, -1, -1]));
    const clipImages = chosen(recorded.imageTensor('images_clip'));
    const output = wholeForward(gsva, { clipImages, samImages: chosen(recorded.imageTensor('images')), tokens });
    const logits = output.logits.dataSync<'float32'>().slice();
    found.push({ logits, lowResMasks: output.lowResMasks.dataSync<'float32'>().slice(), maskRows: output.maskRows });
  });
  return found[0] as Outputs;
}

function alone(row: number): TokenBatch {
  const { inputIds } = recorded.conversation(row);
  const time = inputIds.length;
  return { inputIds: Int32Array.from(inputIds), labels: null, lengths: [time], batch: 1, time };
}

function largestGap(a: Float32Array, b: Float32Array): number {
  return a.length === b.length
    ? a.reduce((gap, value, i) => Math.max(gap, Math.abs(value - (b[i] as number))), 0)
    : Infinity;
}

describe('LlavaSam', () => {
  test('a conversation in a padded batch has the logits and masks that it has alone', () => {
    const together = forward(recorded.tokens);
    const { vocabSize } = gsva.config.llm;
    const time = together.logits.length / vocabSize / 2;
    for (const row of [0, 1]) {
      const own = forward(alone(row), row);
      const from = row * time * vocabSize;
      expect(largestGap(together.logits.subarray(from, from + own.logits.length), own.logits)).toBeLessThan(2e-5);
      const size = own.lowResMasks.length;
      const mine = together.lowResMasks.subarray(row * size, (row + 1) * size);
      expect(largestGap(mine, own.lowResMasks)).toBeLessThan(1e-5);
    }
    expect(together.maskRows).toEqual([0, 0, 1, 1]);
  });

  test('what stands in the padding changes nothing', () => {
    const { inputIds, time, lengths } = recorded.tokens;
    const changed = Int32Array.from(inputIds, (id, i) => (i % time < (lengths[Math.floor(i / time)] ?? 0) ? id : 17));
    expect(forward({ ...recorded.tokens, inputIds: changed })).toEqual(forward(recorded.tokens));
  });

  test('a later token changes nothing before it', () => {
    const tokens = alone(0);
    const changed = Int32Array.from(tokens.inputIds);
    changed[changed.length - 1] = 17;
    const { vocabSize } = gsva.config.llm;
    const before = (outputs: Outputs): Float32Array => outputs.logits.subarray(0, outputs.logits.length - vocabSize);
    expect(before(forward({ ...tokens, inputIds: changed }, 0))).toEqual(before(forward(tokens, 0)));
  });

  test('two images in one conversation are refused', () => {
    const tokens = alone(0);
    const inputIds = Int32Array.from(tokens.inputIds);
    inputIds[1] = -200;
    expect(() => forward({ ...tokens, inputIds }, 0)).toThrow(UserError);
  });
});

describe('LlavaSam as a layer', () => {
  test('call gives what read and ground give, in the shapes that computeOutputShape says', () => {
    const { logits, lowResMasks } = forward(alone(0), 0);
    tf.tidy(() => {
      const first = (x: tf.Tensor4D): tf.Tensor4D => tf.slice(x, [0, 0, 0, 0], [1, -1, -1, -1]);
      const ids = recorded.conversation(0).inputIds;
      const states = new MultimodalRows(alone(0), gsva.patches)
        .statesBefore(segIds(gsva.config.tokens))
        .map(({ position }) => position);
      const inputs = [
        first(recorded.imageTensor('images_clip')),
        first(recorded.imageTensor('images')),
        tf.tensor2d(ids, [1, ids.length], 'int32'),
        tf.tensor1d(states, 'int32'),
      ];
      const [foundLogits, foundMasks] = gsva.call(inputs) as [tf.Tensor, tf.Tensor];
      expect(foundLogits.dataSync()).toEqual(logits);
      expect(foundMasks.dataSync()).toEqual(lowResMasks);
      const shapes = gsva.computeOutputShape(inputs.map((input) => input.shape));
      expect(shapes[0]).toEqual(foundLogits.shape);
      expect(shapes[1]).toEqual(foundMasks.shape);
    });
  });

  test('every weight has the name, and in files the shape, of the published checkpoint', async () => {
    const { tensors: stored } = readSafetensors(weightsPath);
    const ours = await storableWeights(gsva);
    expect([...ours.keys()].sort()).toEqual(
      [...stored.keys()].map((name) => (name.startsWith(PUBLISHED_PREFIX) ? name : PUBLISHED_PREFIX + name)).sort(),
    );
    for (const [name, { shape, data }] of ours) {
      const expected = stored.get(name) ?? stored.get(name.slice(PUBLISHED_PREFIX.length));
      expect(shape).toEqual(expected?.shape);
      expect(tf.util.arraysEqual([...data], [...(expected?.data as Float32Array)])).toBe(true);
    }
  });

  test('its configuration makes an equal model, and dispose frees every weight', () => {
    const before = tf.memory().numTensors;
    const config = gsva.getConfig() as unknown as ModelConfig;
    const other = new LlavaSam(parseModelConfig(readJson(fixture('gsva-tiny', 'config.json'), 'sizes'), 'config.json'));
    other.build();
    other.randomize(new Random(5));
    expect([...other.namedParameters().keys()]).toEqual([...gsva.namedParameters().keys()]);
    expect(other.getConfig()).toMatchObject({ llm: config.llm, sam: config.sam, clip: config.clip });
    const { numDisposedVariables } = other.dispose();
    expect(numDisposedVariables).toBe(gsva.namedParameters().size);
    expect(tf.memory().numTensors).toBe(before);
  });
});
