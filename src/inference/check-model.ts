/** A model's files against the model, strictly, without its memory: nothing is read but headers. */
import { startDryRun } from '../engine/dry-run.js';
import { checkWeights, type LoadReport } from '../checkpoints/weights.js';
import type { OpenedModel } from './open-model.js';

/** Parts that a model without GSVA's own weights lacks; its training draws them. */
const DRAWN = /\.lora_[AB]\.|^model\.text_hidden_fcs\./;

/**
 * Compares names and shapes. Changes TensorFlow.js's backend, as every dry run does.
 * @throws UserError that names the tensors that are missing, left over or of the wrong shape
 */
export async function checkModel({ system, config, tensors, weightsPath, meta }: OpenedModel): Promise<LoadReport> {
  await startDryRun('fused');
  const network = system.build(config);
  network.build();
  try {
    return checkWeights(network, tensors, weightsPath, meta.stage === 'base' ? { mayBeMissing: DRAWN } : {});
  } finally {
    network.dispose();
  }
}
