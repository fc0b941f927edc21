/**
 * Questions and answers about the facts of an image, as the model's variant has them: one conversation about all
 * targets, or one for each. Every target is asked for by all variants, so that what is learned from an image differs in
 * nothing else. Each text of ReasonSeg is a conversation of its own; where the image has an explanation, the answer is
 * the mask, mask and explanation, or, in one of ten, the explanation alone.
 */
import type { Facts, Lesson, Target } from '../../data/facts.js';
import { cleanExpression } from '../../data/text/expression.js';
import type { Random } from '../../random.js';
import type { BinaryMask } from '../../types.js';
import { GSVA_VARIANT, type Variant } from '../shared/variant.js';
import { explainedTurn, explanationMode, targetQuestion } from '../shared/lisa-prompts.js';
import { EXPLANATION_REQUESTS, trainingAnswer, trainingQuestion } from './prompts.js';

export function gsvaLessons(facts: Facts, random: Random, variant: Variant = GSVA_VARIANT): readonly Lesson[] {
  const { kind, targets, turns } = facts;
  if (turns.length > 0) return [{ turns, targets: [] }];
  if (kind === 'reason_seg') return reasonLessons(facts, random);
  const { multipleSeg, reject } = variant;
  const lesson = (some: readonly Target[]): Lesson => {
    const asked = some.map(({ text, wording, mask }) => {
      return { text: wording === 'expression' ? cleanExpression(text) : text, mask };
    });
    const texts = asked.map(({ text }) => text);
    const user = multipleSeg ? trainingQuestion(random, texts) : targetQuestion(random, texts.join(), false);
    const prompts = asked.map(({ text, mask }) => ({ expression: text, isEmpty: mask === null }));
    const assistant = trainingAnswer(random, prompts, kind === 'sem_seg' ? 'semseg' : 'res', variant);
    const answered = reject ? asked : asked.map(({ text, mask }) => ({ text, mask: mask ?? emptyMask(facts) }));
    return { turns: [{ user, assistant }], targets: answered };
  };
  return multipleSeg ? [lesson(targets)] : targets.map((target) => lesson([target]));
}

function reasonLessons({ targets, explanation }: Facts, random: Random): Lesson[] {
  const mode = explanation === null ? 'mask' : explanationMode(random);
  return targets.map(({ text, wording, mask }) => ({
    turns: [
      explainedTurn(
        random,
        mode,
        { text, isSentence: wording === 'sentence' },
        explanation ?? '',
        EXPLANATION_REQUESTS,
      ),
    ],
    targets: mode === 'explanation' ? [] : [{ text, mask }],
  }));
}

function emptyMask({ height, width }: Facts): BinaryMask {
  return { data: new Uint8Array(height * width), height, width };
}
