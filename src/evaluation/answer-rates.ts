/** Rates of right decisions in free answers; forced protocols do not show a model that stopped writing decisions. */
import type { Vocabulary } from '../systems/system.js';
import type { ImageRecord } from './records/record-types.js';

/** By name; NaN where there was nothing to count. */
export const ANSWER_RATES = {
  gen_present_seg: 'targets that are present, answered "found"',
  gen_absent_rej: 'absent targets, answered "absent"',
  gen_unanswered: 'expressions without an answer',
  gen_seg_per_answer: '"found" in an answer',
  gen_rej_per_answer: '"absent" in an answer',
} as const;

export type AnswerRate = keyof typeof ANSWER_RATES;

export function isAnswerRate(name: string): name is AnswerRate {
  return Object.hasOwn(ANSWER_RATES, name);
}

/** @param images as recorded by the protocol 'generate'; what was recorded by others is passed over */
export function answerRates(
  images: readonly ImageRecord[],
  { found, absent: rejecting, ids }: Pick<Vocabulary, 'found' | 'absent' | 'ids'>,
): Record<AnswerRate, number> {
  const records = images.flatMap((image) => image.records.filter(({ protocol }) => protocol === 'generate'));
  const answers = images.flatMap(({ replies }) => replies.filter(({ protocol }) => protocol === 'generate'));
  const present = records.filter(({ targetIsEmpty }) => !targetIsEmpty);
  const absent = records.filter(({ targetIsEmpty }) => targetIsEmpty);
  const written = (decisions: readonly number[]): number => {
    const names = ids.filter(({ id }) => decisions.includes(id)).map(({ token }) => token);
    return answers.reduce(
      (sum, { answer }) => sum + names.reduce((n, name) => n + answer.split(name).length - 1, 0),
      0,
    );
  };
  return {
    gen_present_seg: present.filter(({ answer }) => answer === 'found').length / present.length,
    gen_absent_rej: absent.filter(({ answer }) => answer === 'absent').length / absent.length,
    gen_unanswered: records.filter(({ answer }) => answer === 'none').length / records.length,
    gen_seg_per_answer: written(found) / answers.length,
    gen_rej_per_answer: written(rejecting) / answers.length,
  };
}
