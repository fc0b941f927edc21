/** How a model in training answers when it writes freely, on a few validation images. */
import type { EvaluatedDataset } from '../data/evaluated-dataset.js';
import { answerRates, type AnswerRate } from '../evaluation/answer-rates.js';
import { GRES } from '../evaluation/benchmarks/benchmarks.js';
import { evaluate } from '../evaluation/evaluate.js';
import type { ImageRecord } from '../evaluation/records/record.js';
import type { Predictor } from '../inference/predictor.js';

/** @param images from the start of the set; 0: nothing is measured */
export async function freeAnswerRates(
  dataset: EvaluatedDataset,
  predictor: Predictor,
  images: number,
  signal: AbortSignal | undefined,
): Promise<Partial<Record<AnswerRate, number>>> {
  if (images === 0) return {};
  const answered: ImageRecord[] = [];
  await evaluate(GRES, dataset, predictor, {
    protocols: ['generate'],
    batch: images,
    limit: images,
    onImage: (image) => answered.push(image),
    ...(signal === undefined ? {} : { signal }),
  });
  return answerRates(answered, predictor.asking.vocabulary);
}
