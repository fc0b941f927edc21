/**
 * Models against the reference on small random weights: forward outputs, answers that are given and written, losses,
 * gradients and five optimiser updates, on the engine in use.
 */
import * as tf from '../engine/tf.js';
import { type EncodedImage, encodeImages, stackFeatures } from '../features/image-features.js';
import type { FeatureTensors } from '../systems/system.js';
import { verifyAnswers as verifyLisaAnswers } from './lisa-answers.js';
import { LisaCase } from './lisa-case.js';
import { verifyForward as verifyLisaForward } from './lisa-forward.js';
import { verifyAnswers } from './model-answers.js';
import { type Comparison, ModelCase, type RecordedCase } from './model-case.js';
import { verifyForward } from './model-forward.js';
import { checkSubject, type ModelSubject } from './model-subject.js';
import { recordedTraining, verifyTraining } from './model-training.js';
import { gsvaRules, lisaRules, type TrainingRules } from './training-rules.js';
import type { VerifyItem } from './verify-item.js';

/**
 * GSVA's model.
 * @param subject a model from other files, which is to be the recorded one; null for the recording's own weights
 * @throws UserError where a file or a part of it is missing or malformed
 */
export async function verifyModel(dir: string, subject: ModelSubject | null = null): Promise<VerifyItem[]> {
  return verifyWhole(new ModelCase(dir), subject, gsvaRules(), verifyForward, verifyAnswers);
}

/** As `verifyModel`. */
export async function verifyLisaModel(dir: string, subject: ModelSubject | null = null): Promise<VerifyItem[]> {
  const recorded = new LisaCase(dir);
  return verifyWhole(recorded, subject, lisaRules(recorded), verifyLisaForward, verifyLisaAnswers);
}

async function verifyWhole<Case extends RecordedCase>(
  recorded: Case,
  subject: ModelSubject | null,
  rules: TrainingRules,
  forward: Comparison<Case, FeatureTensors>,
  answers: Comparison<Case, readonly EncodedImage[]>,
): Promise<VerifyItem[]> {
  const own = recorded.model();
  const { items = [], ...model } = subject === null ? { ...own, items: [] } : checkSubject(own, subject);
  const network = recorded.buildModel(model);
  const images = await encodeImages(network, await recorded.preparedImages());
  const pictures = stackFeatures(network, images);
  try {
    const found = [...items, ...(await forward(network, recorded, pictures))];
    found.push(...(await answers(network, recorded, images)));
    // Last: it changes the weights. A model whose LoRA is folded in does not train as recorded.
    if (model.config.lora.r !== own.config.lora.r) return found;
    return [...found, ...(await verifyTraining(network, recordedTraining(network, recorded, pictures), rules))];
  } finally {
    tf.dispose(pictures);
    network.dispose();
  }
}
