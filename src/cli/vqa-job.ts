/** The work behind `gsva vqa`: every question asked, each picture encoded once. */
import { readVqaQuestions } from '../data/vqa/vqa-questions.js';
import type { EngineInfo } from '../engine/engine.js';
import { type AnsweredQuestion, vqaAccuracy } from '../evaluation/vqa-accuracy.js';
import { loadPredictor } from '../inference/load-predictor.js';
import type { ModelSource } from '../inference/open-model.js';
import { readImage } from '../io/image/image-file.js';
import type { EncodedImage } from '../features/image-features.js';
import type { Precision } from '../checkpoints/precision.js';
import type { VerbContext } from './verb.js';

/** What `gsva vqa` was asked for, checked. */
export interface VqaJobRequest {
  readonly model: ModelSource;
  readonly data: string;
  readonly precision: Precision;
  /** At most so many questions, from the start of the list; null for all. */
  readonly limit: number | null;
  readonly maxTokens: number;
}

/** @returns the exit code */
export async function runVqa(request: VqaJobRequest, context: VerbContext, engine: EngineInfo): Promise<number> {
  const { output, signal } = context;
  const questions = readVqaQuestions(request.data).slice(0, request.limit ?? Infinity);
  const { predictor } = await loadPredictor(request.model, request.precision);
  const startedAt = performance.now();
  const bar = context.startProgress('questions', questions.length);
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
      if (image === undefined) throw new Error('runVqa: the image was not encoded');
      const reply = await predictor.reply(image, question.text, { maxTokens: request.maxTokens, signal });
      answered.push({ ...question, reply });
      bar.update(answered.length);
    }
    const { categories, ...all } = vqaAccuracy(answered);
    const rows = [...categories, { category: 'all', ...all }];
    const share = (value: number): string => value.toFixed(3);
    output.table(
      ['questions about', 'number', 'right', 'commonest answer'],
      rows.map((row) => [row.category, String(row.questions), share(row.accuracy), share(row.commonest)]),
    );
    const seconds = (performance.now() - startedAt) / 1000;
    output.json({ ...all, categories, seconds, engine: engine.name });
    return 0;
  } finally {
    bar.stop();
    predictor.dispose();
  }
}
