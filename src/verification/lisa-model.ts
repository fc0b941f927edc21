/**
 * Verifies LISA's whole model against a recording of the reference on small random weights: every output of the forward
 * pass, masks of given answers, answers that it writes, losses, every gradient and five updates.
 */
import { join } from 'node:path';
import { withWeights } from '../checkpoints/checkpoint-directory.js';
import * as tf from '../engine/tf.js';
import { encodeImages, stackFeatures } from '../features/image-features.js';
import { LlavaSam } from '../systems/shared/llava-sam.js';
import { verifyAnswers } from './lisa-answers.js';
import { LisaCase } from './lisa-case.js';
import { verifyForward } from './lisa-forward.js';
import { verifyTraining } from './lisa-training.js';
import { checkSubject, type ModelSubject } from './model-subject.js';
import type { VerifyItem } from './verify-item.js';

/**
 * @param subject a model from other files, which is to be the recorded one; null for the recording's own weights
 * @throws UserError where a file or a part of it is missing or malformed
 */
export async function verifyLisaModel(dir: string, subject: ModelSubject | null = null): Promise<VerifyItem[]> {
  const recorded = new LisaCase(dir);
  const own = { config: recorded.config, tensors: recorded.weights() };
  const { config, tensors, items } = subject === null ? { ...own, items: [] } : checkSubject(own, subject);
  const network = withWeights(new LlavaSam(config), tensors, subject?.weightsPath ?? join(dir, 'model.safetensors'));
  const images = await encodeImages(network, await recorded.preparedImages());
  const pictures = stackFeatures(network, images);
  try {
    const forward = await verifyForward(network, recorded, pictures);
    const answers = await verifyAnswers(network, recorded, images);
    // Last: it changes the weights. A model whose LoRA is folded in does not train as recorded.
    const training = config.lora.r === own.config.lora.r ? await verifyTraining(network, recorded, pictures) : [];
    return [...items, ...forward, ...answers, ...training];
  } finally {
    tf.dispose(pictures);
    network.dispose();
  }
}
