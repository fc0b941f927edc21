/** Shares of right replies where a question has one answer: lists in LLaVA's form, and what is reached without looking. */
import type { AnsweredQuestion } from './vqa-score.js';

/** A question whose first answer is the only one, with the model's reply. */
type OneAnswerQuestion = Pick<AnsweredQuestion, 'answers' | 'category' | 'reply'>;

export interface CategoryAccuracy {
  readonly category: string;
  readonly questions: number;
  readonly accuracy: number;
  /** Share that is reached without looking: by always giving the category's commonest answer. */
  readonly commonest: number;
}

export interface OneAnswerAccuracy extends Omit<CategoryAccuracy, 'category'> {
  /** In the order in which they first occur. */
  readonly categories: readonly CategoryAccuracy[];
}

/** Whether two answers are the same but for case, surrounding spaces and a full stop. */
export function isSameAnswer(reply: string, answer: string): boolean {
  const plain = (text: string): string => text.trim().replace(/\.$/, '').trim().toLowerCase();
  return plain(reply) === plain(answer);
}

/** @param answered at least one */
export function oneAnswerAccuracy(answered: readonly OneAnswerQuestion[]): OneAnswerAccuracy {
  const categories = [...new Set(answered.map(({ category }) => category))].map((category) => {
    const own = answered.filter((one) => one.category === category);
    const timesGiven = own.map((one) => own.filter((other) => isSameAnswer(answerOf(other), answerOf(one))).length);
    return {
      category,
      questions: own.length,
      accuracy: own.filter((one) => isSameAnswer(one.reply, answerOf(one))).length / own.length,
      commonest: Math.max(...timesGiven) / own.length,
    };
  });
  const mean = (share: 'accuracy' | 'commonest'): number =>
    categories.reduce((sum, { questions, ...rest }) => sum + questions * rest[share], 0) / answered.length;
  return { questions: answered.length, accuracy: mean('accuracy'), commonest: mean('commonest'), categories };
}

function answerOf({ answers: [answer = ''] }: OneAnswerQuestion): string {
  return answer;
}
