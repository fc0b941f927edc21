/**
 * Accuracy by consensus (Antol et al. 2015): a reply is fully right where at least three annotators gave it. As the
 * published evaluations have it, each annotator in turn is left out and the mean of min(1, matches among the others / 3)
 * is taken.
 */
import { evalAiText, onOneLine, vqaText } from './answer-text.js';

/** Matching answers that make a reply right. */
const ENOUGH = 3;

/** @param matches answers equal to the reply, among @param count answers, at least one @returns in [0, 1] */
export function consensus(matches: number, count: number): number {
  const credit = (others: number): number => Math.min(1, others / ENOUGH);
  // With one of the matching annotators left out, and with one of the rest.
  return (matches * credit(matches - 1) + (count - matches) * credit(matches)) / count;
}

/**
 * VQA accuracy of one reply, in [0, 1]: VQAv2, OK-VQA and VizWiz. Where all annotators agree word for word neither they
 * nor the reply are normalised: "Two" is then wrong for ten times "2" (vqaEval.py).
 * @param answers of the annotators, at least one
 */
export function vqaAccuracy(reply: string, answers: readonly string[]): number {
  const lines = answers.map(onOneLine);
  const compared = new Set(lines).size > 1 ? vqaText : onOneLine;
  return agreement(compared, reply, lines);
}

/** TextVQA's accuracy of one reply, in [0, 1]: as VQA's, on texts that are always normalised, in EvalAI's way. */
export function textVqaAccuracy(reply: string, answers: readonly string[]): number {
  return agreement(evalAiText, reply, answers);
}

function agreement(compared: (text: string) => string, reply: string, answers: readonly string[]): number {
  const given = compared(reply);
  return consensus(answers.filter((answer) => compared(answer) === given).length, answers.length);
}

/** Whether a reply is GQA's answer: nothing but case, outer blanks and full stops at the end may differ. */
export function isGqaAnswer(reply: string, answer: string): boolean {
  const plain = (text: string): string => text.trim().replace(/\.+$/, '').trim().toLowerCase();
  return plain(reply) === plain(answer);
}
