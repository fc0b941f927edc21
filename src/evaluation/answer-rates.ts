/**
 * How a model answers when it writes freely: whether it says [SEG] for what is there and [REJ] for what is not. The
 * forced protocols cannot see a model that has stopped to write either.
 */
import { MORE_SEG_TOKENS, REJ_TOKEN, SEG_TOKEN } from '../special-tokens.js';
import type { ImageRecord } from './records/record.js';

/** By name; NaN where there was nothing to count. */
export const ANSWER_RATES = {
  gen_present_seg: 'targets that are there, answered [SEG]',
  gen_absent_rej: 'absent targets, answered [REJ]',
  gen_unanswered: 'expressions without an answer',
  gen_seg_per_answer: '[SEG] in an answer',
  gen_rej_per_answer: '[REJ] in an answer',
} as const;

export type AnswerRate = keyof typeof ANSWER_RATES;

export function isAnswerRate(name: string): name is AnswerRate {
  return Object.hasOwn(ANSWER_RATES, name);
}

/** @param images as recorded by the protocol 'generate'; what was recorded by others is passed over */
export function answerRates(images: readonly ImageRecord[]): Record<AnswerRate, number> {
  const records = images.flatMap((image) => image.records.filter(({ protocol }) => protocol === 'generate'));
  const answers = images.flatMap(({ replies }) => replies.filter(({ protocol }) => protocol === 'generate'));
  const present = records.filter(({ targetIsEmpty }) => !targetIsEmpty);
  const absent = records.filter(({ targetIsEmpty }) => targetIsEmpty);
  const tokens = (names: readonly string[]): number =>
    answers.reduce((sum, { answer }) => sum + names.reduce((n, name) => n + answer.split(name).length - 1, 0), 0);
  return {
    gen_present_seg: present.filter(({ answer }) => answer === 'seg').length / present.length,
    gen_absent_rej: absent.filter(({ answer }) => answer === 'rej').length / absent.length,
    gen_unanswered: records.filter(({ answer }) => answer === 'none').length / records.length,
    gen_seg_per_answer: tokens([SEG_TOKEN, ...MORE_SEG_TOKENS]) / answers.length,
    gen_rej_per_answer: tokens([REJ_TOKEN]) / answers.length,
  };
}
