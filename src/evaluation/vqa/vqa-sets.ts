/** Sets of questions with their published evaluation: what is appended to a question, how replies are scored. */
import { VIZWIZ } from '../../data/vqa/listed-questions.js';
import { SHORT_ANSWER } from '../../data/vqa/question-set.js';
import { type ScoreVqa, scoreGqa, scoreMme, scorePope, scoreTextVqa, scoreVqa } from './vqa-score.js';

export const VQA_SET_NAMES = ['vqav2', 'okvqa', 'textvqa', 'vizwiz', 'gqa', 'pope', 'mme'] as const;
export type VqaSetName = (typeof VQA_SET_NAMES)[number];

export interface VqaSet {
  readonly title: string;
  /** Appended to every question; begins with a blank. */
  readonly instruction: string;
  /** Tokens after which a reply is cut off. */
  readonly maxTokens: number;
  readonly score: ScoreVqa;
  /** Figure that tables print. */
  readonly figure: 'accuracy' | 'F1' | 'total';
}

const WORDS = { instruction: SHORT_ANSWER, maxTokens: 10, figure: 'accuracy' } as const;

/** Instructions and lengths as in InternVL's evaluation (eval/vqa, eval/pope, eval/mme), by which Table 9 was measured. */
export const VQA_SETS: Readonly<Record<VqaSetName, VqaSet>> = {
  vqav2: { ...WORDS, title: 'VQAv2', score: scoreVqa },
  okvqa: { ...WORDS, title: 'OK-VQA', score: scoreVqa },
  textvqa: { ...WORDS, title: 'TextVQA', score: scoreTextVqa },
  vizwiz: { ...WORDS, title: 'VizWiz', instruction: VIZWIZ.instruction ?? SHORT_ANSWER, score: scoreVqa },
  gqa: { ...WORDS, title: 'GQA', score: scoreGqa },
  pope: { ...WORDS, title: 'POPE', maxTokens: 100, score: scorePope, figure: 'F1' },
  mme: { ...WORDS, title: 'MME', maxTokens: 20, score: scoreMme, figure: 'total' },
};

/** A list of one's own in LLaVA's form, whose questions are asked as they are. */
export const OWN_LIST = 'llava';
export type AskedSet = VqaSetName | typeof OWN_LIST;
