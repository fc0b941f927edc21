/**
 * Questions that are answered by yes or no. POPE (Li et al. 2023, evaluate.py): are absent objects seen? MME
 * (Fu et al. 2023, calculation.py): two questions a picture, one to be affirmed and one to be denied.
 */
import { ratio } from '../metrics/mask-overlap.js';

/** POPE's reading: "no" where the first sentence has one of three words, else "yes", whatever it says. */
export function popeReading(reply: string): 'yes' | 'no' {
  const [sentence = ''] = reply.split('.');
  const words = sentence.replaceAll(',', '').split(' ');
  return ['No', 'not', 'no'].some((word) => words.includes(word)) ? 'no' : 'yes';
}

/** MME's reading: "yes" or "no" among the first four letters, in any case; "other" counts as wrong. */
export function mmeReading(reply: string): 'yes' | 'no' | 'other' {
  const start = reply.trim().toLowerCase().slice(0, 4);
  if (start.includes('yes')) return 'yes';
  return start.includes('no') ? 'no' : 'other';
}

export interface YesNoFigures {
  /** Shares of 1; null where nothing was, or was to be, affirmed. */
  readonly accuracy: number;
  readonly precision: number | null;
  readonly recall: number | null;
  readonly f1: number | null;
  /** Share of the questions that were affirmed. */
  readonly yes: number;
}

/** Figures of POPE, "yes" being what is looked for. @param answered at least one */
export function yesNoFigures(
  answered: readonly { readonly isYes: boolean; readonly saidYes: boolean }[],
): YesNoFigures {
  const count = (isYes: boolean, saidYes: boolean): number =>
    answered.filter((each) => each.isYes === isYes && each.saidYes === saidYes).length;
  const [hit, miss, falseAlarm, rejected] = [
    count(true, true),
    count(true, false),
    count(false, true),
    count(false, false),
  ];
  return {
    accuracy: (hit + rejected) / answered.length,
    precision: ratio(hit, hit + falseAlarm),
    recall: ratio(hit, hit + miss),
    // The harmonic mean of precision and recall; the published code cannot divide where both are 0.
    f1: ratio(2 * hit, 2 * hit + falseAlarm + miss),
    yes: (hit + falseAlarm) / answered.length,
  };
}

/** Score of one MME task: percent of right answers plus percent of pictures with none wrong, from 0 to 200. */
export interface MmeScore {
  readonly accuracy: number;
  readonly accuracyPlus: number;
  readonly score: number;
}

/** @param answered all questions of a task, at least one */
export function mmeScore(answered: readonly { readonly image: string; readonly isRight: boolean }[]): MmeScore {
  const pictures = new Map<string, boolean>();
  for (const { image, isRight } of answered) pictures.set(image, (pictures.get(image) ?? true) && isRight);
  const accuracy = (100 * answered.filter(({ isRight }) => isRight).length) / answered.length;
  const accuracyPlus = (100 * [...pictures.values()].filter((allRight) => allRight).length) / pictures.size;
  return { accuracy, accuracyPlus, score: accuracy + accuracyPlus };
}
