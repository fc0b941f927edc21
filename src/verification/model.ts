/**
 * Verifies the whole model against a recording of the reference on small random weights: every output of the forward
 * pass, the losses, every gradient, five updates of the optimiser, teacher-forced evaluation and greedy decoding. On
 * whichever engine is in use.
 */
import { join } from 'node:path';
import { verifyAnswers } from './model-answers.js';
import { withWeights } from '../checkpoints/checkpoint-directory.js';
import { LlavaSam } from '../systems/shared/llava-sam.js';
import { ModelCase } from './model-case.js';
import { verifyForward } from './model-forward.js';
import { checkSubject, type ModelSubject } from './model-subject.js';
import { verifyTraining } from './model-training.js';
import type { VerifyItem } from './verify-item.js';

/**
 * @param dir folder with config.json, model, case, grads and after_5_updates.safetensors, case.json
 * @param subject a model from other files, which is to be the recorded one; null for the recording's own weights
 * @throws UserError where a file or a part of it is missing or malformed
 */
export async function verifyModel(dir: string, subject: ModelSubject | null = null): Promise<VerifyItem[]> {
  const recorded = new ModelCase(dir);
  const own = recorded.model();
  const { config, tensors, items } = subject === null ? { ...own, items: [] } : checkSubject(own, subject);
  const gsva = withWeights(new LlavaSam(config), tensors, subject?.weightsPath ?? join(dir, 'model.safetensors'));
  try {
    const forward = await verifyForward(gsva, recorded);
    const answers = await verifyAnswers(gsva, recorded);
    // Last: it changes the weights. A model whose LoRA is folded in does not train as recorded.
    const training = config.lora.r === own.config.lora.r ? await verifyTraining(gsva, recorded) : [];
    return [...items, ...forward, ...answers, ...training];
  } finally {
    gsva.dispose();
  }
}
