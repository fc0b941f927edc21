/** What one of several processes holds, from the plan of one. */
import { expect, test } from '@jest/globals';
import { type MemoryPlan, processBytes } from '../../src/benchmark/memory-plan.js';
import { rankMemory } from '../../src/benchmark/rank-memory.js';

const PEAK = { tensors: 1_900, process: 0 };
const PLAN: MemoryPlan = {
  parts: [],
  parameters: 250,
  trainable: 50,
  weights: 1_000,
  gradients: 200,
  optimizer: 400,
  packedWeights: 0,
  keptFeatures: 7,
  featuresPerImage: 0,
  questionFlops: 0,
  stepFlops: 0,
  engines: [{ engine: 'wasm', training: PEAK, inference: PEAK }],
};

test('alone, a process holds everything and exchanges nothing', () => {
  expect(rankMemory(PLAN, 1)).toEqual({
    ...{ ranks: 1, weights: 1_000, gradients: 200, optimizer: 400, exchange: 0 },
    engines: [{ engine: 'wasm', activations: 300, tensors: 1_900, process: processBytes('wasm', 1_900, PLAN) + 7 }],
  });
});

test("of four, each holds a quarter of Adam's moments, two buckets and its share of the summed gradients", () => {
  const exchange = 4 * (2 * 50 + 50 / 4);
  expect(rankMemory(PLAN, 4)).toEqual({
    ...{ ranks: 4, weights: 1_000, gradients: 200, optimizer: 100, exchange },
    engines: [
      { engine: 'wasm', activations: 300, tensors: 1_600, process: processBytes('wasm', 1_600, PLAN) + 7 + exchange },
    ],
  });
});

test('a bucket is at most 100 MB, however much is trained', () => {
  expect(rankMemory({ ...PLAN, trainable: 288_260_000 }, 8).exchange).toBe(4 * (2 * 25_000_000 + 288_260_000 / 8));
});

test('weights in 16 bits: among TensorFlow’s tensors, beside those of the others', () => {
  const packed = { ...PLAN, packedWeights: 600, weights: 1_000 };
  const engines = (['tensorflow', 'wasm'] as const).map((engine) => {
    const training = { tensors: engine === 'tensorflow' ? 1_900 : 1_300, process: 0 };
    return { engine, training, inference: PEAK };
  });
  const found = rankMemory({ ...packed, engines }, 1).engines;
  expect(found.map(({ activations }) => activations)).toEqual([300, 300]);
});
