/** A model's files against the model, strictly, without its memory: nothing is read but headers. */
import { startDryRun } from '../engine/dry-run.js';
import { startsRandom } from '../systems/parts.js';
import { LlavaSam } from '../systems/shared/llava-sam.js';
import { checkWeights, type LoadReport } from '../checkpoints/weights.js';
import type { OpenedModel } from './open-model.js';

/**
 * Compares names and shapes. Changes TensorFlow.js's backend, as every dry run does.
 * @throws UserError that names the tensors that are missing, left over or of the wrong shape
 */
export async function checkModel({ config, tensors, weightsPath, meta }: OpenedModel): Promise<LoadReport> {
  await startDryRun('fused');
  const gsva = new LlavaSam(config);
  gsva.build();
  try {
    const options = meta.stage === 'base' ? { mayBeMissing: startsRandom(gsva.parts) } : {};
    return checkWeights(gsva, tensors, weightsPath, options);
  } finally {
    gsva.dispose();
  }
}
