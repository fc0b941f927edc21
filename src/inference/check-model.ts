/** A model's files against the model, strictly, without its memory: nothing is read but headers. */
import { startDryRun } from '../engine/dry-run.js';
import { LlavaSam } from '../systems/shared/llava-sam.js';
import { checkWeights, type LoadReport } from '../checkpoints/weights.js';
import type { OpenedModel } from './open-model.js';

/** Parts that a model without GSVA's own weights lacks; its training draws them. */
const DRAWN = /\.lora_[AB]\.|^model\.text_hidden_fcs\./;

/**
 * Compares names and shapes. Changes TensorFlow.js's backend, as every dry run does.
 * @throws UserError that names the tensors that are missing, left over or of the wrong shape
 */
export async function checkModel({ config, tensors, weightsPath, meta }: OpenedModel): Promise<LoadReport> {
  await startDryRun('fused');
  const gsva = new LlavaSam(config);
  gsva.build();
  try {
    return checkWeights(gsva, tensors, weightsPath, meta.stage === 'base' ? { mayBeMissing: DRAWN } : {});
  } finally {
    gsva.dispose();
  }
}
