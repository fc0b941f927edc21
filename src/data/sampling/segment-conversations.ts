/**
 * Question and answer about the targets of an image, as the model's variant has them: one conversation about all of
 * them, or one for each. Every target is asked for by all variants, so that what is learned from an image differs in
 * nothing else.
 */
import type { Random } from '../../random.js';
import type { BinaryMask } from '../../types.js';
import { GSVA_VARIANT, type Variant } from '../../variant.js';
import { type AnswerKind, reasonQuestion, trainingAnswer, trainingQuestion } from '../text/prompts.js';
import type { SampleConversation, SampleTarget } from './training-sample.js';

/**
 * @param targets at least one; `mask` null where the target is absent
 * @param size of the image: without [REJ] an absent target has an empty mask
 */
export function segmentConversations(
  random: Random,
  targets: readonly SampleTarget[],
  kind: AnswerKind,
  size: { readonly height: number; readonly width: number },
  variant: Variant = GSVA_VARIANT,
): [SampleConversation, ...SampleConversation[]] {
  const { multipleSeg, reject } = variant;
  const conversation = (some: readonly SampleTarget[]): SampleConversation => {
    const texts = some.map(({ text }) => text);
    const user = multipleSeg ? trainingQuestion(random, texts) : reasonQuestion(random, texts.join(), false);
    const prompts = some.map(({ text, mask }) => ({ expression: text, isEmpty: mask === null }));
    const assistant = trainingAnswer(random, prompts, kind, variant);
    const answered = reject ? some : some.map(({ text, mask }) => ({ text, mask: mask ?? emptyMask(size) }));
    return { turns: [{ user, assistant }], targets: answered };
  };
  const groups: (readonly SampleTarget[])[] = multipleSeg ? [targets] : targets.map((target) => [target]);
  const [first, ...others] = groups;
  if (first === undefined) throw new Error('segmentConversations: there is no target');
  return [conversation(first), ...others.map(conversation)];
}

function emptyMask({ height, width }: { readonly height: number; readonly width: number }): BinaryMask {
  return { data: new Uint8Array(height * width), height, width };
}
