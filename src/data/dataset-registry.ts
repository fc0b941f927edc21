/**
 * The published datasets by the names that configurations and the command line use (those of the reference), with their
 * splits. Of RefCOCOg "refcocog" is UMD's division, of the others UNC's, as in the paper.
 */
import { UserError } from '../errors.js';
import { didYouMean } from '../nearest-name.js';
import { openAde20k, openCocoStuff, openMapillary } from './sem-seg/ade20k.js';
import { GRefCoco, RefCoco, RefZom } from './refer/refcoco.js';
import { LlavaInstruct } from './vqa/llava-instruct.js';
import { openPacoLvis, openPascalPart } from './sem-seg/pascal-part.js';
import { ReasonSeg } from './reason/reason-seg.js';
import type { ReferDataset } from './refer/refer-dataset.js';
import { referTrainingSet } from './refer/refer-dataset.js';
import type { TrainingSet } from './sampling/training-sample.js';

interface Registered<Split extends string, Opened> {
  /** The first is that to train on. */
  readonly splits: readonly [Split, ...Split[]];
  readonly open: (dataDir: string, split: Split) => Opened;
}

function registered<const Split extends string, Opened>(
  splits: readonly [Split, ...Split[]],
  open: (dataDir: string, split: Split) => Opened,
): Registered<string, Opened> {
  // `open` is only called with names of the list.
  return { splits, open: (dataDir, split) => open(dataDir, split as Split) };
}

const UNC_SPLITS = ['train', 'val', 'testA', 'testB'] as const;

const REFERRING: Readonly<Record<string, Registered<string, ReferDataset>>> = {
  refclef: registered(['train', 'val', 'test', 'testA', 'testB', 'testC'], (dataDir, split) =>
    RefCoco.open(dataDir, 'refclef', 'unc', split),
  ),
  refcoco: registered(UNC_SPLITS, (dataDir, split) => RefCoco.open(dataDir, 'refcoco', 'unc', split)),
  'refcoco+': registered(UNC_SPLITS, (dataDir, split) => RefCoco.open(dataDir, 'refcoco+', 'unc', split)),
  refcocog: registered(['train', 'val', 'test'], (dataDir, split) => RefCoco.open(dataDir, 'refcocog', 'umd', split)),
  'refcocog-google': registered(['train', 'val'], (dataDir, split) =>
    RefCoco.open(dataDir, 'refcocog', 'google', split),
  ),
  grefcoco: registered(UNC_SPLITS, (dataDir, split) => GRefCoco.open(dataDir, split)),
  refzom: registered(['train', 'test'], (dataDir, split) => RefZom.open(dataDir, split)),
};

const OTHERS: Readonly<Record<string, Registered<string, TrainingSet>>> = {
  ade20k: registered(['training', 'validation'], openAde20k),
  cocostuff: registered(['train'], openCocoStuff),
  mapillary: registered(['training', 'validation'], openMapillary),
  paco_lvis: registered(['train'], openPacoLvis),
  pascal_part: registered(['train'], openPascalPart),
  llava_instruct_150k: registered(['train'], (dataDir) => LlavaInstruct.open(dataDir)),
  reason_seg: registered(['train', 'val', 'test'], (dataDir, split) => ReasonSeg.open(dataDir, split).trainingSet()),
};

/** Names of all sets, and of those with expressions. */
export const DATASET_NAMES: readonly string[] = [...Object.keys(OTHERS), ...Object.keys(REFERRING)];
export const REFERRING_NAMES: readonly string[] = Object.keys(REFERRING);

export interface SetSpec {
  readonly name: string;
  readonly split: string;
}

/**
 * Reads "grefcoco:testA", or "ade20k" for the split to train on.
 * @throws UserError naming what is possible
 */
export function parseSetSpec(text: string): SetSpec {
  const colon = text.indexOf(':');
  const name = colon < 0 ? text : text.slice(0, colon);
  const { splits } = entryOf(name, DATASET_NAMES);
  const split = colon < 0 ? splits[0] : text.slice(colon + 1);
  if (splits.includes(split)) return { name, split };
  throw new UserError(
    `The data set ${name} has no split "${split}"${didYouMean(split, splits)}; it has ${splits.join(', ')}.`,
  );
}

/** The first is that to train on. @throws UserError where there is no such set */
export function splitsOf(name: string): readonly string[] {
  return entryOf(name, DATASET_NAMES).splits;
}

/**
 * The images of a split, as training takes them.
 * @param split that to train on where nothing is said
 * @throws UserError where there is no such set or split, or its files are missing or malformed
 */
export function openTrainingSet(name: string, dataDir: string, split?: string): TrainingSet {
  const spec = parseSetSpec(split === undefined ? name : `${name}:${split}`);
  const referring = own(REFERRING, name);
  if (referring !== null) return referTrainingSet(name, referring.open(dataDir, spec.split));
  return entryOf(name, DATASET_NAMES).open(dataDir, spec.split) as TrainingSet;
}

/**
 * A split of a set with expressions, to validate or evaluate on.
 * @throws UserError as `openTrainingSet`
 */
export function openReferringSet(name: string, dataDir: string, split: string): ReferDataset {
  if (own(REFERRING, name) === null) entryOf(name, REFERRING_NAMES);
  return (own(REFERRING, name) as Registered<string, ReferDataset>).open(
    dataDir,
    parseSetSpec(`${name}:${split}`).split,
  );
}

function entryOf(name: string, possible: readonly string[]): Registered<string, unknown> {
  const entry = possible.includes(name) ? (own(REFERRING, name) ?? own(OTHERS, name)) : null;
  if (entry !== null) return entry;
  throw new UserError(`There is no data set "${name}"${didYouMean(name, possible)}; known are ${possible.join(', ')}.`);
}

function own<T>(table: Readonly<Record<string, T>>, name: string): T | null {
  return Object.hasOwn(table, name) ? (table[name] ?? null) : null;
}
