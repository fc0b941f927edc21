/** Memory of a question: counted for the paper's models as it is recorded, and as `planMemory` counts it. */
import { describe, expect, test } from '@jest/globals';

import { USUAL_WORKLOAD } from '../../src/benchmark/bench-config.js';
import { countInference, inferencePeak } from '../../src/benchmark/inference-plan.js';
import { planMemory } from '../../src/benchmark/memory-plan.js';
import { ONE_QUESTION, readPlanSource } from '../../src/benchmark/plan-source.js';
import { RELEASED_COUNTS } from '../../src/benchmark/released-counts.js';
import { SMALL } from '../helpers/small-model.js';

/** Half a minute for each on a busy machine. */
const PATIENCE = 300_000;

test(
  'what is recorded of 7B is what is counted for configs/paper',
  async () => {
    const { model } = readPlanSource('configs/paper/vicuna-7b-pretrain.json5');
    expect(await countInference(model)).toEqual(RELEASED_COUNTS['vicuna-7b']);
  },
  PATIENCE,
);

// Counting 13B as well would take another half minute; the parameters are held by the catalogue's test.
test('both 13B are counted alike, and the widths of 13B and 7B tell their packed weights apart', () => {
  const [seven, thirteen] = [RELEASED_COUNTS['vicuna-7b'], RELEASED_COUNTS['llama-2-13b']];
  expect(RELEASED_COUNTS['vicuna-13b']).toEqual(thirteen);
  for (const kind of ['fused', 'formulas'] as const) {
    // Both hold the same SAM and CLIP; what differs is LLaMA, four bytes a number in float32 and two where packed.
    const weights = 4 * (thirteen.parameters - seven.parameters);
    expect(thirteen.f32[kind] - seven.f32[kind]).toBeGreaterThan(weights);
    expect(thirteen.f32[kind] - seven.f32[kind]).toBeLessThan(1.05 * weights);
  }
});

describe('countInference', () => {
  test('in float32 a question takes what planMemory says of inference, on every engine', async () => {
    const plan = await planMemory({
      kind: 'model',
      model: SMALL,
      stage: 'gsva',
      question: ONE_QUESTION,
      frozenWeights: 'f32',
      workload: USUAL_WORKLOAD,
      accumulation: 1,
      experiment: null,
    });
    const count = await countInference(SMALL);
    expect(count.parameters).toBe(plan.parameters);
    for (const { engine, inference } of plan.engines) expect(inferencePeak(count, engine, 'f32')).toEqual(inference);
  });

  test('in 16 bits the large matrices take half; no number is lost', async () => {
    const wide = { ...SMALL, llm: { ...SMALL.llm, hiddenSize: 24, intermediateSize: 4096, numHiddenLayers: 3 } };
    const count = await countInference(wide);
    // gate, up and down of three layers
    expect(count.packedWeights).toBe(2 * 3 * 3 * 24 * 4096);
    for (const kind of ['fused', 'formulas'] as const) {
      expect(count.f32[kind] - count.packed[kind]).toBeGreaterThanOrEqual(2 * count.packedWeights);
    }
    const [f32, packed] = (['f32', 'packed'] as const).map((kind) => inferencePeak(count, 'tensorflow', kind).process);
    expect(packed).toBeLessThan(f32 ?? 0);
  });

  test('the plan of 7B in 16 bits is within 15 % of what docs/large-models.md measures', () => {
    // Peak RSS in GiB: tensorflow 17.1, openblas 15.5.
    for (const [engine, measured] of [
      ['tensorflow', 17.1],
      ['openblas', 15.5],
    ] as const) {
      const { process } = inferencePeak(RELEASED_COUNTS['vicuna-7b'], engine, 'packed');
      expect(Math.abs(process / 2 ** 30 / measured - 1)).toBeLessThan(0.15);
    }
  });
});
