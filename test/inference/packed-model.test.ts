/** The trained small model with its large matrices in 16 bits: the same answers, and who decides that it is so. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import * as tf from '../../src/engine/tf.js';
import { loadPredictor } from '../../src/inference/open-model.js';
import type { Reply } from '../../src/inference/reply.js';
import type { Precision } from '../../src/checkpoints/precision.js';
import { startWasmEngine } from '../helpers/wasm-engine.js';
import { randomImage } from './tiny-predictor.js';
import { writeModel, readModel } from '../helpers/model-folder.js';

const TRAINED = resolve('checkpoints', 'tiny');
const rounded = mkdtempSync(join(tmpdir(), 'gsva-rounded-'));

beforeAll(async () => {
  await startWasmEngine();
  const { gsva, meta } = readModel(TRAINED);
  await writeModel(rounded, gsva, { meta, tokenizerDir: TRAINED, dtype: 'BF16' });
  gsva.dispose();
});
afterAll(() => {
  rmSync(rounded, { recursive: true });
});

async function replies(dir: string, precision: Precision): Promise<{ found: Reply[]; packedBytes: number }> {
  const { predictor, packedBytes } = await loadPredictor(dir, precision);
  const image = randomImage(120, 160, 3);
  const expressions = ['red circle', 'the large green square'];
  const found = [
    await predictor.segment(image, expressions),
    await predictor.segment(image, expressions, { mode: 'generate' }),
  ];
  predictor.dispose();
  return { found, packedBytes };
}

test('packed, it answers as the same weights in float32 do', async () => {
  const before = tf.memory().numTensors;
  const plain = await replies(rounded, 'f32');
  const packed = await replies(rounded, 'packed');
  expect(tf.memory().numTensors).toBe(before);
  expect([plain.packedBytes, packed.packedBytes > 100_000]).toEqual([0, true]);
  for (const [i, { answer, results }] of packed.found.entries()) {
    expect(answer).toBe(plain.found[i]?.answer);
    for (const [j, { status, area, rejectProbability }] of results.entries()) {
      const expected = plain.found[i]?.results[j];
      expect(status).toBe(expected?.status);
      expect(Math.abs(area - (expected?.area ?? NaN))).toBeLessThanOrEqual(3); // pixels at a mask's border
      expect(rejectProbability ?? 0).toBeCloseTo(expected?.rejectProbability ?? 0, 4);
    }
  }
});

test('auto keeps a small model in float32; packed rounds one that is stored so', async () => {
  for (const [dir, precision, isPacked] of [
    [rounded, 'auto', false],
    [TRAINED, 'auto', false],
    [TRAINED, 'packed', true],
  ] as const) {
    const { predictor, packedBytes } = await loadPredictor(dir, precision);
    predictor.dispose();
    expect(packedBytes > 0).toBe(isPacked);
  }
});
