/**
 * Counts of `countInference` for the paper's three models: half a minute of counting for each, and the same on every
 * machine. A test counts again.
 */
import type { Backbone } from '../systems/catalogue/entry.js';
import type { InferenceCount } from './inference-plan.js';

const SIZE_13B: InferenceCount = {
  parameters: 14_045_383_216,
  f32: { fused: 58_666_114_176, formulas: 58_669_804_672 },
  packed: { fused: 2_734_378_112, formulas: 2_738_068_608 },
  packedWeights: 27_965_868_032,
};

export const RELEASED_COUNTS: Readonly<Record<Backbone['name'], InferenceCount>> = {
  'vicuna-7b': {
    parameters: 7_708_941_872,
    f32: { fused: 32_434_632_960, formulas: 32_437_563_648 },
    packed: { fused: 1_655_122_176, formulas: 1_658_052_864 },
    packedWeights: 15_389_755_392,
  },
  'vicuna-13b': SIZE_13B,
  'llama-2-13b': SIZE_13B,
};
