/** From a configuration to what the recipe trains and validates on: its data, and the tokenizer. */
import { openReferringSet, openTrainingSet } from '../../data/dataset-registry.js';
import { type OwnData, openOwnData } from '../../data/own/own-data.js';
import type { ReferDataset } from '../../data/refer/refer-dataset.js';
import type { OrderedSets } from '../../data/sampling/source-of.js';
import { thinned } from '../../data/sampling/thinned-set.js';
import { readTokenizer } from '../../data/read-tokenizer.js';
import type { Tokenizer } from '../../data/text/tokenizer.js';
import { UserError } from '../../errors.js';
import type { System } from '../../systems/system.js';
import type { GroundingData } from '../grounding-task.js';
import type { JsonlData, ReferData, SetsData } from './data-config.js';
import type { ExperimentConfig } from './experiment-config.js';

/** Data that the recipe can be trained on. */
export type GsvaDataConfig = ReferData | JsonlData | SetsData;

/** Images of a split with expressions, to evaluate on. */
export interface ValidationData {
  readonly dataset: Pick<ReferDataset, 'images' | 'targets'>;
  /** How many of the images are used, and how many of these are answered freely too. */
  readonly images: number;
  readonly generateImages: number;
}

/**
 * @param batchSize samples in a micro-batch
 * @throws UserError where a file is missing or malformed, or nothing is of the split
 */
export async function openTrainingData(data: GsvaDataConfig, batchSize: number): Promise<GroundingData> {
  const sample = { perSample: data.expressionsPerSample, absentClasses: 0 };
  if (data.kind === 'grefcoco') {
    // In this thread: it is meant for small pictures, whose features are kept.
    return { sets: [openTrainingSet('grefcoco', data.dir)], weights: null, sample, workers: 0 };
  }
  if (data.kind === 'jsonl') return { sets: [await openOwnData(data.file, 'train')], weights: null, sample };
  const { absentClasses, workers, maxBadShare } = data;
  return {
    ...orderedSets(data, batchSize),
    sample: { ...sample, absentClasses },
    maxBadShare,
    ...(workers === null ? {} : { workers }),
  };
}

function orderedSets(data: SetsData, batchSize: number): OrderedSets {
  const opened = data.sets.map((name) => openTrainingSet(name, data.dir));
  if (data.kind !== 'repeated') return { sets: opened, weights: data.kind === 'mixture' ? data.weights : null };
  const { most, thinSeed, rates, drawn, lastOfBatch } = data;
  const sets = opened.map((set, i) => thinned(set, most[data.sets[i] ?? ''] ?? Infinity, thinSeed));
  const repetition = {
    rates,
    drawn: new Set(sets.filter((_, i) => drawn.includes(data.sets[i] ?? ''))),
    replaceLastOf: lastOfBatch === null ? null : batchSize,
  };
  return { sets, weights: null, repetition };
}

/** The data to validate on; null where none is configured. @throws UserError as `openTrainingData` */
export async function openValidationData(data: GsvaDataConfig): Promise<ValidationData | null> {
  if (data.kind === 'grefcoco' || data.kind === 'jsonl') {
    const isOwn = data.kind === 'jsonl';
    const dataset = isOwn ? await ownValidation(data) : openReferringSet('grefcoco', data.dir, 'val');
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

/** Tokenizer of a run, with the tokens of its system, and the configuration with a row for each of them in its model. */
export function startVocabulary(
  system: System,
  written: ExperimentConfig,
): { readonly config: ExperimentConfig; readonly tokenizer: Tokenizer } {
  const { model } = written;
  const { added, addedTokenSpaces } = system.vocabulary(model, written);
  const tokenizer = readTokenizer(written.tokenizer, { addedTokenSpaces });
  tokenizer.addTokens(added);
  if (system.grow === undefined) return { config: written, tokenizer };
  const grown = system.grow(model, written, tokenizer) as ExperimentConfig['model'];
  return { config: { ...written, model: grown }, tokenizer };
}
