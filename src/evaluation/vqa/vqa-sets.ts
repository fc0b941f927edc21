/** Sets of questions with their published evaluation: what is appended to a question, how replies are scored. */
import { type ScoreVqa, scoreGqa, scoreMme, scorePope, scoreTextVqa, scoreVqa } from './vqa-score.js';

export const VQA_SET_NAMES = ['vqav2', 'okvqa', 'textvqa', 'vizwiz', 'gqa', 'pope', 'mme'] as const;
export type VqaSetName = (typeof VQA_SET_NAMES)[number];

export interface VqaSet {
  readonly title: string;
  /** The split with published answers that is measured where none is named. */
  readonly split: string;
  /** Appended to every question, with a blank in between. */
  readonly instruction: string;
  /** Tokens after which a reply is cut off, as InternVL's evaluation has it. */
  readonly maxTokens: number;
  readonly score: ScoreVqa;
  /** Figure that tables print. */
  readonly figure: 'accuracy' | 'F1' | 'total';
}

/** Instructions of InternVL's evaluation (eval/vqa, eval/pope, eval/mme), with which the base models were measured. */
const SHORT = 'Answer the question using a single word or phrase.';
const VIZWIZ = `When the provided information is insufficient, respond with 'Unanswerable'. ${SHORT}`;

const WORDS = { split: 'val', instruction: SHORT, maxTokens: 10, figure: 'accuracy' } as const;

export const VQA_SETS: Readonly<Record<VqaSetName, VqaSet>> = {
  vqav2: { ...WORDS, title: 'VQAv2', score: scoreVqa },
  okvqa: { ...WORDS, title: 'OK-VQA', score: scoreVqa },
  textvqa: { ...WORDS, title: 'TextVQA', score: scoreTextVqa },
  vizwiz: { ...WORDS, title: 'VizWiz', instruction: VIZWIZ, score: scoreVqa },
  gqa: { ...WORDS, title: 'GQA', split: 'testdev', score: scoreGqa },
  pope: { ...WORDS, title: 'POPE', split: 'test', maxTokens: 100, score: scorePope, figure: 'F1' },
  mme: { ...WORDS, title: 'MME', split: 'test', maxTokens: 20, score: scoreMme, figure: 'total' },
};
