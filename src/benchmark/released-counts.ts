/**
 * What `countInference` counts for the paper's three models: half a minute of counting for each, and the same on every
 * machine. A test counts again.
 */
import type { Backbone } from '../model/catalogue/entry.js';
import type { InferenceCount } from './inference-plan.js';

const SIZE_13B: InferenceCount = {
  parameters: 14_045_383_216,
  f32: { fused: 59_543_387_336, formulas: 59_547_077_832 },
  packed: { fused: 3_611_651_272, formulas: 3_615_341_768 },
  packedWeights: 27_965_868_032,
};

export const RELEASED_COUNTS: Readonly<Record<Backbone['name'], InferenceCount>> = {
  'vicuna-7b': {
    parameters: 7_708_941_872,
    f32: { fused: 33_016_625_480, formulas: 33_019_556_168 },
    packed: { fused: 2_237_114_696, formulas: 2_240_045_384 },
    packedWeights: 15_389_755_392,
  },
  'vicuna-13b': SIZE_13B,
  'llama-2-13b': SIZE_13B,
};
