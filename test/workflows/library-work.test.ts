/** Training and evaluation by the library: a dataset of plain objects all the way, what is refused, nothing left behind. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import {
  calibrate,
  convert,
  dataset,
  type DatasetImage,
  evaluate,
  type ImageRecord,
  loadModel,
  maskToRle,
  systems,
  train,
  UserError,
} from '../../src/index.js';
import { randomImage } from '../inference/tiny-predictor.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-library-work-'));
const mask = { data: new Uint8Array(24 * 32).fill(1, 100, 300), height: 24, width: 32 };
const polygon = [[2, 2, 20, 2, 20, 20]];
const IMAGES: readonly DatasetImage[] = [1, 2, 3, 4].map((seed) => ({
  image: randomImage(24, 32, seed),
  split: seed < 4 ? 'train' : 'val',
  expressions: [
    { text: 'red circle', mask },
    { text: ['green bar', 'bar'], mask: seed % 2 === 0 ? polygon : maskToRle(mask) },
    { text: 'blue star', mask: null },
  ],
}));
const TRAINING = {
  config: 'configs/tiny.json5',
  overrides: [
    ['training.schedule.totalUpdates', 2],
    ['training.schedule.warmupUpdates', 0],
    ['training.batchSize', 2],
    ['data.generateImages', 0],
  ],
} as const;
const wrong = (value: unknown): never => value as never;

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return error.code;
  }
  return 'none';
}

test('trains on plain objects, evaluates the trained model, opens and converts it; no tensor is left', async () => {
  const tensors = tf.memory().numTensors;
  const data = await dataset(IMAGES);
  expect(data.images).toEqual({ train: 3, val: 1, test: 0 });
  const updates: number[] = [];
  const { model, end } = await train({
    ...TRAINING,
    ...{ data, out: join(scratch, 'run'), engine: { engine: 'wasm' } },
    onUpdate: ({ update }) => updates.push(update),
  });
  expect([end.reason, updates]).toEqual(['updates', [1, 2]]);
  const seen: ImageRecord[] = [];
  const records = join(scratch, 'val.jsonl');
  const { results, images } = await evaluate({ model, data, records, onImage: (image) => seen.push(image) });
  expect(results[0]).toMatchObject({ protocol: 'strict', images: 1, expressions: 4, absentTargets: 1 });
  expect(seen).toEqual(images);
  expect(seen[0]?.records.map(({ expression }) => expression)).toContain('blue star');
  expect(calibrate({ records, store: model }).decisions).toBe(4);
  await convert({ source: model, out: join(scratch, 'half'), dtype: 'bf16' });
  const half = await loadModel(join(scratch, 'half'));
  half.dispose();
  data.dispose();
  expect(existsSync(dirname(data.file))).toBe(false);
  expect(tf.memory().numTensors).toBe(tensors);
});

test('an aborted training is saved, an aborted evaluation throws the reason; no tensor is left, the engine is free', async () => {
  const tensors = tf.memory().numTensors;
  const data = await dataset(IMAGES, { dir: join(scratch, 'kept') });
  const controller = new AbortController();
  const { end } = await train({
    ...TRAINING,
    ...{ data, out: join(scratch, 'stopped'), signal: controller.signal },
    onUpdate: () => {
      controller.abort(new Error('enough'));
    },
  });
  expect([end.reason, end.update]).toEqual(['aborted', 1]);
  const { signal } = controller;
  await expect(evaluate({ data, signal })).rejects.toThrow('enough');
  await expect(dataset(IMAGES, { signal, dir: join(scratch, 'none') })).rejects.toThrow('enough');
  expect(existsSync(join(scratch, 'none'))).toBe(false);
  await expect(evaluate({ data: 'none', model: 'none' })).rejects.toThrow();
  expect(tf.memory().numTensors).toBe(tensors);
  data.dispose();
  expect(readFileSync(data.file, 'utf8').split('\n')).toHaveLength(5);
});

test.each([
  [[], 'at least one { image, expressions }'],
  [[{ ...IMAGES[0], splt: 'val' }], 'images[0]: there is no option "splt" (did you mean "split"?)'],
  [[IMAGES[0], { ...IMAGES[1], split: 'dev' }], /images\[1\].*"split"/],
  [[{ image: 'none.png', expressions: [] }], 'images[0]: Cannot read'],
  [[{ ...IMAGES[0], expressions: [{ text: 'x' }] }], /images\[0\].*"mask"/],
  [[{ ...IMAGES[0], expressions: [{ text: '[SEG]', mask: null }] }], /images\[0\].*reserved/],
  [[{ ...IMAGES[0], expressions: [{ text: 'x', mask: { pixels: 3 } }] }], 'expressions[0].mask: a mask is'],
  [[{ ...IMAGES[0], expressions: [{ text: 'x', mask: { ...mask, width: 31 } }] }], /mask/],
  [[{ ...IMAGES[0], expressions: [{ text: 'x', mask: { size: [2, 2], counts: [4] } }] }], /2 × 2|24|32/],
])('dataset %#: what cannot be used is named', async (images, message) => {
  await expect(dataset(wrong(images))).rejects.toThrow(message);
});

test('unknown options are refused', async () => {
  expect(await codeOf(train(wrong({ ...TRAINING, out: 'x', epochs: 3 })))).toBe('bad-option');
  expect(await codeOf(evaluate(wrong({ data: 'x', protocol: 'strict' })))).toBe('bad-option');
  expect(await codeOf(evaluate(wrong({ data: 'x', signal: 3 })))).toBe('bad-option');
  expect(await codeOf(convert(wrong({ source: 'x', out: 'y', type: 'bf16' })))).toBe('bad-option');
  expect(await codeOf(convert(wrong({ source: 3, out: 'y' })))).toBe('bad-model');
  expect(await codeOf(dataset(IMAGES, wrong({ folder: 'x' })))).toBe('bad-option');
  expect(() => calibrate(wrong({ record: 'x' }))).toThrow('did you mean "records"');
});

test('systems are listed with their abilities', async () => {
  const all = await systems();
  expect(all.find(({ name }) => name === 'gsva')?.can).toEqual({ rejects: true, boxes: false, regions: false });
});
