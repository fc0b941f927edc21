/** How often a model's freely written answer is the right one: visual question answering with short answers. */

export interface AnsweredQuestion {
  readonly text: string;
  readonly answer: string;
  readonly category: string;
  readonly reply: string;
}

export interface CategoryAccuracy {
  readonly category: string;
  readonly questions: number;
  readonly accuracy: number;
  /** Share that is reached without looking: by always giving the category's commonest answer. */
  readonly commonest: number;
}

export interface VqaAccuracy extends Omit<CategoryAccuracy, 'category'> {
  /** In the order in which they first occur. */
  readonly categories: readonly CategoryAccuracy[];
}

/** Whether two answers are the same but for case, surrounding spaces and a full stop. */
export function isSameAnswer(reply: string, answer: string): boolean {
  const plain = (text: string): string => text.trim().replace(/\.$/, '').trim().toLowerCase();
  return plain(reply) === plain(answer);
}

/** @param answered at least one */
export function vqaAccuracy(answered: readonly AnsweredQuestion[]): VqaAccuracy {
  const categories = [...new Set(answered.map(({ category }) => category))].map((category) => {
    const own = answered.filter((one) => one.category === category);
    const timesGiven = own.map(({ answer }) => own.filter((other) => isSameAnswer(other.answer, answer)).length);
    return {
      category,
      questions: own.length,
      accuracy: own.filter(({ reply, answer }) => isSameAnswer(reply, answer)).length / own.length,
      commonest: Math.max(...timesGiven) / own.length,
    };
  });
  const mean = (share: 'accuracy' | 'commonest'): number =>
    categories.reduce((sum, { questions, ...rest }) => sum + questions * rest[share], 0) / answered.length;
  return { questions: answered.length, accuracy: mean('accuracy'), commonest: mean('commonest'), categories };
}
