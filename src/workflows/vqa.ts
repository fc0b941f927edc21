/** Questions about pictures with short answers: every question asked, each picture encoded once. */
import { readVqaQuestions } from '../data/vqa/llava-instruct.js';
import { type AnsweredQuestion, vqaAccuracy } from '../evaluation/vqa-accuracy.js';
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
      answered.push({ ...question, reply });
      onProgress?.({ label: 'questions', done: answered.length, total: questions.length });
    }
    return { ...vqaAccuracy(answered), seconds: (performance.now() - startedAt) / 1000, engine };
  } finally {
    predictor.dispose();
  }
}
