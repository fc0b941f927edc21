/** Questions about pictures with short answers: every question asked, each picture encoded once, the right ones counted. */
import { readVqaQuestions } from '../data/vqa/llava-instruct.js';
import type { EncodedImage } from '../features/image-features.js';
import { loadPredictor } from '../inference/open-model.js';
import { packagedSource } from '../inference/model-source.js';
import { readImage } from '../io/image/image-file.js';
import { type AskOptions, startNoted } from './engine.js';

interface VqaOptions extends Omit<AskOptions, 'rejectThreshold'> {
  /** Folder with llava_dataset/questions_val.json and coco/val2017. */
  readonly data: string;
  readonly limit?: number;
  readonly maxTokens: number;
}

export async function answerQuestions(options: VqaOptions) {
  const { data, limit, maxTokens, signal, onProgress } = options;
  const engine = await startNoted(options.engine, options);
  const questions = readVqaQuestions(data).slice(0, limit);
  const { predictor } = await loadPredictor(packagedSource(options.model), options.precision);
  const startedAt = performance.now();
  try {
    const answered: AnsweredQuestion[] = [];
    // Questions about a picture stand together.
    let path = '';
    let image: EncodedImage | undefined;
    for (const question of questions) {
      if (image === undefined || path !== question.image) {
        path = question.image;
        [image] = await predictor.encode([await readImage(path)]);
      }
      if (image === undefined) throw new Error('answerQuestions: the image was not encoded');
      const { answer: reply } = await predictor.converse(image, question.text, { maxTokens, signal });
      answered.push({ ...question, answer: question.answers[0] ?? '', reply });
      onProgress?.({ label: 'questions', done: answered.length, total: questions.length });
    }
    return { ...vqaAccuracy(answered), seconds: (performance.now() - startedAt) / 1000, engine };
  } finally {
    predictor.dispose();
  }
}

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
