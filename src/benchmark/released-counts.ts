/**
 * Counts of `countInference` for the paper's three models: half a minute of counting for each, and the same on every
 * machine. A test counts again.
 */
import type { Backbone } from '../systems/catalogue/entry.js';
import type { InferenceCount } from './inference-plan.js';

const SIZE_13B: InferenceCount = {
  parameters: 14_045_383_216,
  f32: { fused: 59_532_922_056, formulas: 59_536_612_552 },
  packed: { fused: 3_601_185_992, formulas: 3_604_876_488 },
  packedWeights: 27_965_868_032,
};

export const RELEASED_COUNTS: Readonly<Record<Backbone['name'], InferenceCount>> = {
  'vicuna-7b': {
    parameters: 7_708_941_872,
    f32: { fused: 33_008_253_256, formulas: 33_011_183_944 },
    packed: { fused: 2_228_742_472, formulas: 2_231_673_160 },
    packedWeights: 15_389_755_392,
  },
  'vicuna-13b': SIZE_13B,
  'llama-2-13b': SIZE_13B,
};
