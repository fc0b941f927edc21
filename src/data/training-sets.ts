/** The published data sets by the names that configurations use (those of the reference), ready to train on. */
import { UserError } from '../errors.js';
import { nearestName } from '../nearest-name.js';
import { openAde20k } from './ade20k.js';
import { openCocoStuff } from './coco-stuff.js';
import { GRefCoco } from './grefcoco.js';
import { LlavaInstruct } from './llava-instruct.js';
import { openMapillary } from './mapillary.js';
import { openPacoLvis } from './paco-lvis.js';
import { openPascalPart } from './pascal-part.js';
import { RefZom } from './ref-zom.js';
import { ReasonSeg } from './reason-seg.js';
import { RefCoco } from './refcoco.js';
import type { ReferDataset } from './refer-dataset.js';
import { referTrainingSet } from './refer-training-set.js';
import type { AnySet } from './sample-source.js';

type OpenReferring = (dataDir: string, split: 'train' | 'val') => ReferDataset;

/** Of RefCOCOg UMD's division, of the others UNC's, as in the paper. */
const REFERRING: Readonly<Record<string, OpenReferring>> = {
  refclef: (dataDir, split) => RefCoco.open(dataDir, 'refclef', 'unc', split),
  refcoco: (dataDir, split) => RefCoco.open(dataDir, 'refcoco', 'unc', split),
  'refcoco+': (dataDir, split) => RefCoco.open(dataDir, 'refcoco+', 'unc', split),
  refcocog: (dataDir, split) => RefCoco.open(dataDir, 'refcocog', 'umd', split),
  grefcoco: (dataDir, split) => GRefCoco.open(dataDir, split),
  // It has no val.
  refzom: (dataDir, split) => RefZom.open(dataDir, split === 'val' ? 'test' : split),
};

const OTHERS: Readonly<Record<string, (dataDir: string) => AnySet>> = {
  ade20k: openAde20k,
  cocostuff: openCocoStuff,
  mapillary: openMapillary,
  paco_lvis: openPacoLvis,
  pascal_part: openPascalPart,
  llava_instruct_150k: (dataDir) => LlavaInstruct.open(dataDir),
  reason_seg: (dataDir) => ReasonSeg.open(dataDir, 'train').trainingSet(),
};

export const TRAINING_SETS: readonly string[] = [...Object.keys(OTHERS), ...Object.keys(REFERRING)];

/**
 * The images of a set's training split.
 * @throws UserError where there is no set of this name, or its files are missing or malformed
 */
export function openTrainingSet(name: string, dataDir: string): AnySet {
  const other = entry(OTHERS, name);
  if (other !== null) return other(dataDir);
  return referTrainingSet(name, openReferring(name, dataDir, 'train', TRAINING_SETS));
}

/**
 * A set of expressions, such as to validate on.
 * @throws UserError where there is no such set with expressions, or its files are missing or malformed
 */
export function openReferringSet(name: string, dataDir: string, split: 'train' | 'val'): ReferDataset {
  return openReferring(name, dataDir, split, Object.keys(REFERRING));
}

function openReferring(
  name: string,
  dataDir: string,
  split: 'train' | 'val',
  possible: readonly string[],
): ReferDataset {
  const open = entry(REFERRING, name);
  if (open !== null) return open(dataDir, split);
  const near = nearestName(name, possible);
  throw new UserError(
    `Opening the data set "${name}": there is none of this name here. ` +
      `${near === null ? '' : `Did you mean "${near}"? `}Possible are ${possible.join(', ')}.`,
  );
}

function entry<T>(table: Readonly<Record<string, T>>, name: string): T | null {
  return Object.hasOwn(table, name) ? (table[name] ?? null) : null;
}
