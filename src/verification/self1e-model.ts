/** SELF1E's whole model against the reference on small random weights, on the engine in use. */
import { type Self1eConfig, self1eConfigToJson } from '../systems/self1e/config.js';
import { UserError } from '../errors.js';
import { without } from '../schema.js';
import type { Self1e } from '../systems/self1e/model.js';
import { checkFiles, type ModelSubject } from './model-subject.js';
import { verifySelf1eAnswers } from './self1e-answers.js';
import { Self1eCase } from './self1e-case.js';
import { verifySelf1eForward } from './self1e-forward.js';
import { recordedPredictor } from './self1e-texts.js';
import { verifySelf1eTraining } from './self1e-training.js';
import { toleranceItem, type VerifyItem } from './verify-item.js';

/** Sizes that no file of weights says: with adapters merged their form is gone. */
const UNSAID = ['lora.alpha', 'lora.dropout', 'lora.targets', 'lora.vision_targets'];

/**
 * @param subject a model from other files, which is to be the recorded one; null for the recording's own weights
 * @throws UserError where a file or a part of it is missing or malformed
 */
export async function verifySelf1eModel(
  dir: string,
  subject: ModelSubject<Self1eConfig> | null = null,
): Promise<VerifyItem[]> {
  const recorded = new Self1eCase(dir);
  const own = recorded.model();
  const checked = subject === null ? null : checkFiles(own, withFrequencies(subject, own), self1eConfigToJson, UNSAID);
  const network = recorded.buildModel(checked ?? own);
  try {
    const items = [...(checked?.items ?? []), ...(await verifySelf1eForward(network, recorded))];
    items.push(...(await answerItems(network, recorded)));
    // Last: it changes the weights. A model whose LoRA is folded in does not train as recorded.
    if (network.config.lora.r !== own.config.lora.r) return items;
    return [...items, ...(await verifySelf1eTraining(network, recorded)), completeItem(recorded)];
  } finally {
    network.dispose();
  }
}

/** The subject with the recorded precision of the rotary frequencies, which is no matter of its weights. */
function withFrequencies(
  subject: ModelSubject<Self1eConfig>,
  recorded: ModelSubject<Self1eConfig>,
): ModelSubject<Self1eConfig> {
  const { ropeFrequencies } = recorded.config.llm;
  const llm = without(subject.config.llm, 'ropeFrequencies');
  const sizes = ropeFrequencies === undefined ? llm : { ...llm, ropeFrequencies };
  return { ...subject, config: { ...subject.config, llm: sizes } };
}

/** Answers; or why there are none, next to all else that can be compared. */
async function answerItems(network: Self1e, recorded: Self1eCase): Promise<VerifyItem[]> {
  try {
    return await verifySelf1eAnswers(recordedPredictor(network, recorded), recorded);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return [toleranceItem('answers', Infinity, 0, error.message)];
  }
}

/** Names of tensors that this version knows the meaning of. */
const KNOWN = /^(vit|pixel_shuffle|rfr|v1|hq|llm|logits|head|grad|b|vqa|eval|published|chat|attends|gt_masks)(\.|$)/;

/** A tensor that nobody compares proves nothing; those of unknown names are listed. */
function completeItem({ tensors }: Self1eCase): VerifyItem {
  const left = tensors.unread.filter((name) => KNOWN.test(name));
  const unknown = tensors.unread.filter((name) => !KNOWN.test(name));
  const detail = unknown.length === 0 ? '' : `; of unknown names, left out: ${unknown.join(', ')}`;
  const title = 'tensors of the recording that are not compared';
  return toleranceItem(title, left.length, 0, `${left.length === 0 ? 'none' : left.join(', ')}${detail}`);
}
