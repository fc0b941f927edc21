/** Figures of a set of questions with the model's replies: of all and of each of the set's own categories. */
import type { VqaQuestion } from '../../data/vqa/vqa-question.js';
import type { FigureValues } from '../figures.js';
import { isGqaAnswer, textVqaAccuracy, vqaAccuracy } from './consensus.js';
import { mmeReading, mmeScore, popeReading, yesNoFigures } from './yes-no.js';

export interface AnsweredQuestion extends VqaQuestion {
  readonly reply: string;
}

export interface VqaScore {
  /** In percent, MME's in points; null where it cannot be computed from these questions. */
  readonly figures: FigureValues;
  /** In the order in which they first occur; one named '' where the set does not divide its questions. */
  readonly categories: readonly {
    readonly category: string;
    readonly questions: number;
    readonly figures: FigureValues;
  }[];
}

/** @param answered at least one question */
export type ScoreVqa = (answered: readonly AnsweredQuestion[]) => VqaScore;

/** Mean of an accuracy of single replies. */
function meanOf(accuracy: (question: AnsweredQuestion) => number): ScoreVqa {
  const figures = (some: readonly AnsweredQuestion[]): FigureValues => {
    return { accuracy: (100 * some.reduce((sum, one) => sum + accuracy(one), 0)) / some.length };
  };
  return (answered) => ({ figures: figures(answered), categories: byCategory(answered, figures) });
}

/** VQAv2, OK-VQA, VizWiz: accuracy among the annotators' answers, by the kind of answer. */
export const scoreVqa: ScoreVqa = meanOf(({ reply, answers }) => vqaAccuracy(reply, answers));
export const scoreTextVqa: ScoreVqa = meanOf(({ reply, answers }) => textVqaAccuracy(reply, answers));
/** Any of the answers given; GQA has one. */
export const scoreGqa: ScoreVqa = meanOf(({ reply, answers }) =>
  Number(answers.some((one) => isGqaAnswer(reply, one))),
);

/**
 * POPE: figures of each way of choosing what is asked for (random, popular, adversarial); of all the mean of these, as
 * InternVL's evaluation has it for F1.
 */
export const scorePope: ScoreVqa = (answered) => {
  const figures = (some: readonly AnsweredQuestion[]): FigureValues => {
    const { accuracy, precision, recall, f1, yes } = yesNoFigures(
      some.map(({ reply, answers }) => ({ isYes: isYes(answers), saidYes: popeReading(reply) === 'yes' })),
    );
    return percent({ accuracy, precision, recall, F1: f1, yes });
  };
  const categories = byCategory(answered, figures);
  return { figures: meanFigures(categories.map((each) => each.figures)), categories };
};

/** Tasks of MME, named as its files are. */
export const MME_PERCEPTION = [
  ...['existence', 'count', 'position', 'color', 'posters', 'celebrity', 'scene', 'landmark', 'artwork', 'OCR'],
] as const;
export const MME_COGNITION = [
  ...['commonsense_reasoning', 'numerical_calculation', 'text_translation', 'code_reasoning'],
] as const;

/** MME: points of each task, and their sums over the tasks of perception and of cognition where all were asked. */
export const scoreMme: ScoreVqa = (answered) => {
  const categories = byCategory(answered, (some) => {
    const questions = some.map(({ image, reply, answers }) => {
      return { image, isRight: mmeReading(reply) === (isYes(answers) ? 'yes' : 'no') };
    });
    const { accuracy, accuracyPlus, score } = mmeScore(questions);
    return { accuracy: accuracy, 'accuracy+': accuracyPlus, score };
  });
  const sumOf = (tasks: readonly string[]): number | null => {
    const scores = tasks.map((task) => categories.find(({ category }) => category === task)?.figures['score']);
    return scores.reduce<number | null>((sum, score) => {
      return sum === null || typeof score !== 'number' ? null : sum + score;
    }, 0);
  };
  const [perception, cognition] = [sumOf(MME_PERCEPTION), sumOf(MME_COGNITION)];
  const total = perception === null || cognition === null ? null : perception + cognition;
  return { figures: { perception, cognition, total }, categories };
};

function isYes([answer = '']: readonly string[]): boolean {
  return answer.trim().toLowerCase() === 'yes';
}

function byCategory(
  answered: readonly AnsweredQuestion[],
  figures: (some: readonly AnsweredQuestion[]) => FigureValues,
): VqaScore['categories'] {
  const groups = new Map<string, AnsweredQuestion[]>();
  for (const one of answered) {
    const group = groups.get(one.category);
    if (group === undefined) groups.set(one.category, [one]);
    else group.push(one);
  }
  return [...groups].map(([category, some]) => ({ category, questions: some.length, figures: figures(some) }));
}

function percent(shares: FigureValues): FigureValues {
  return Object.fromEntries(Object.entries(shares).map(([name, share]) => [name, share === null ? null : 100 * share]));
}

/** Means by name; null where one of them is. @param all at least one, with the same names */
function meanFigures(all: readonly FigureValues[]): FigureValues {
  const names = Object.keys(all[0] ?? {});
  return Object.fromEntries(
    names.map((name) => {
      const values = all.map((figures) => figures[name]);
      const sum = values.reduce<number>((total, value) => total + (value ?? NaN), 0);
      return [name, Number.isNaN(sum) ? null : sum / all.length];
    }),
  );
}
