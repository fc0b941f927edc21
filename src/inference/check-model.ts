/** A model's files against the model, strictly, without its memory: nothing is read but headers. */
import { startDryRun } from '../engine/dry-run.js';
import { startsRandom } from '../checkpoints/parts.js';
import { checkWeights, type LoadReport } from '../checkpoints/weights.js';
import type { OpenedModel } from './open-model.js';

/**
 * Compares names and shapes. Changes TensorFlow.js's backend, as every dry run does.
 * @throws UserError that names the tensors that are missing, left over or of the wrong shape
 */
export async function checkModel({ system, config, tensors, weightsPath, meta }: OpenedModel): Promise<LoadReport> {
  await startDryRun('fused');
  const network = system.build(config);
  network.build();
  try {
    const options = meta.stage === 'base' ? { mayBeMissing: startsRandom(network.parts) } : {};
    return checkWeights(network, tensors, weightsPath, options);
  } finally {
    network.dispose();
  }
}
