/**
 * Verifies the whole model against a recording of the reference on small random weights: every output of the forward
 * pass, the losses, every gradient, five updates of the optimiser, teacher-forced evaluation and greedy decoding. On
 * whichever engine is in use.
 */
import { verifyAnswers } from './model-answers.js';
import { ModelCase } from './model-case.js';
import { verifyForward } from './model-forward.js';
import { verifyTraining } from './model-training.js';
import type { VerifyItem } from './verify-item.js';

/**
 * @param dir folder with config.json, model, case, grads and after_5_updates.safetensors, case.json
 * @throws UserError where a file or a part of it is missing or malformed
 */
export async function verifyModel(dir: string): Promise<VerifyItem[]> {
  const recorded = new ModelCase(dir);
  const gsva = recorded.buildModel();
  try {
    const forward = await verifyForward(gsva, recorded);
    const answers = await verifyAnswers(gsva, recorded);
    // Last: it changes the weights.
    const training = await verifyTraining(gsva, recorded);
    return [...forward, ...answers, ...training];
  } finally {
    gsva.dispose();
  }
}
