/** From a configuration's `data` to what GSVA's recipe trains and validates on. */
import { openReferringSet, openTrainingSet } from '../../data/dataset-registry.js';
import { type OwnData, openOwnData } from '../../data/own/own-data.js';
import type { ReferDataset } from '../../data/refer/refer-dataset.js';
import { UserError } from '../../errors.js';
import type { JsonlData, ReferData, SetsData } from './data-config.js';
import type { GroundingData } from '../grounding-task.js';

/** Data that the recipe can be trained on. */
export type GsvaDataConfig = ReferData | JsonlData | SetsData;

/** Images of a split with expressions, to evaluate on. */
export interface ValidationData {
  readonly dataset: Pick<ReferDataset, 'images' | 'targets'>;
  /** How many of the images are used, and how many of these are answered freely too. */
  readonly images: number;
  readonly generateImages: number;
}

/** @throws UserError where a file is missing or malformed, or nothing is of the split */
export async function openTrainingData(data: GsvaDataConfig): Promise<GroundingData> {
  const sample = { perSample: data.expressionsPerSample, absentClasses: 0 };
  if (data.kind === 'grefcoco') {
    // In this thread: it is meant for small pictures, whose features are kept.
    return { sets: [openTrainingSet('grefcoco', data.dir)], weights: null, sample, workers: 0 };
  }
  if (data.kind === 'jsonl') return { sets: [await openOwnData(data.file, 'train')], weights: null, sample };
  const { dir, sets, absentClasses, workers, maxBadShare } = data;
  return {
    sets: sets.map((name) => openTrainingSet(name, dir)),
    weights: data.kind === 'mixture' ? data.weights : null,
    sample: { ...sample, absentClasses },
    maxBadShare,
    ...(workers === null ? {} : { workers }),
  };
}

/** The data to validate on; null where none is configured. @throws UserError as `openTrainingData` */
export async function openValidationData(data: GsvaDataConfig): Promise<ValidationData | null> {
  if (data.kind === 'grefcoco') {
    const dataset = openReferringSet('grefcoco', data.dir, 'val');
    return { dataset, images: data.validationImages, generateImages: data.generateImages };
  }
  if (data.kind === 'jsonl') {
    const dataset = await ownValidation(data);
    return { dataset, images: data.validationImages, generateImages: data.generateImages };
  }
  const { dir, validation } = data;
  if (validation === null) return null;
  const { set, split, images, generateImages } = validation;
  return { dataset: openReferringSet(set, dir, split), images, generateImages };
}

async function ownValidation({ file, valFile }: JsonlData): Promise<OwnData> {
  const own = await openOwnData(valFile ?? file, 'val');
  if (valFile !== null || own.hasSplits) return own;
  throw new UserError(
    `${file}: no line has "split": "val", so there is nothing to validate on. Give some images this split (the ` +
      'imports do, with --val 0.1), name another file as data.valFile, or train without: ' +
      '--set training.validateEvery=0 training.bestMetric=null',
  );
}
