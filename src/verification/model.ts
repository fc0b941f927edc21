/**
 * The model against the reference on small random weights: forward outputs, losses, gradients, five optimiser updates,
 * teacher forcing and greedy decoding, on the engine in use.
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
 * @param subject from other files; null for the recording's weights @throws UserError for missing or malformed files
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
