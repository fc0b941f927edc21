/**
 * The published datasets by the names that configurations and the command line use (those of the reference), with their
 * splits. Of RefCOCOg "refcocog" is UMD's division, of the others UNC's, as in the paper.
 */
import { UserError } from '../errors.js';
import { didYouMean } from '../nearest-name.js';
import { type IgnoreOptions, openReasonEvaluation, openReasonSeg, type ReasonSegSplit } from './reason/reason-seg.js';
import { GRefCoco, refCoco, RefZom } from './refer/refcoco.js';
import { ReferDataset, type ReferringExpression, type EvaluatedDataset } from './refer/refer-dataset.js';
import type { TrainingSet } from './facts.js';
import { type Ade20kSplit, type MapillarySplit, openAde20k, openCocoStuff, openMapillary } from './sem-seg/ade20k.js';
import { openPacoLvis, openPascalPart } from './sem-seg/annotated-dataset.js';
import { LabelMapEvaluation } from './sem-seg/label-maps.js';
import { isListedName, LISTED_SETS, LISTED_SPLITS, openListedMaps } from './sem-seg/listed-maps.js';
import { openLlavaInstruct } from './vqa/llava-instruct.js';
import type { QuestionSet } from './vqa/question-set.js';
import { openQuestionTraining, QUESTION_SETS } from './vqa/question-sets.js';

interface Registered<Opened> {
  /** The first is that to train on. */
  readonly splits: readonly [string, ...string[]];
  /** Only called with names of the list. */
  open(dataDir: string, split: string): Opened;
}

const UNC_SPLITS = ['train', 'val', 'testA', 'testB'] as const;

const REFERRING: Readonly<Record<string, Registered<ReferDataset>>> = {
  refclef: { splits: ['train', 'val', 'test', 'testA', 'testB', 'testC'], open: refCoco('refclef', 'unc').open },
  refcoco: { splits: UNC_SPLITS, open: refCoco('refcoco', 'unc').open },
  'refcoco+': { splits: UNC_SPLITS, open: refCoco('refcoco+', 'unc').open },
  refcocog: { splits: ['train', 'val', 'test'], open: refCoco('refcocog', 'umd').open },
  'refcocog-google': { splits: ['train', 'val'], open: refCoco('refcocog', 'google').open },
  grefcoco: { splits: UNC_SPLITS, open: GRefCoco.open },
  refzom: { splits: ['train', 'test'], open: RefZom.open },
};

const OTHERS: Readonly<Record<string, Registered<TrainingSet>>> = {
  ade20k: { splits: ['training', 'validation'], open: (dir, split) => openAde20k(dir, split as Ade20kSplit) },
  cocostuff: { splits: ['train'], open: openCocoStuff },
  mapillary: { splits: ['training', 'validation'], open: (dir, split) => openMapillary(dir, split as MapillarySplit) },
  paco_lvis: { splits: ['train'], open: openPacoLvis },
  pascal_part: { splits: ['train'], open: openPascalPart },
  llava_instruct_150k: { splits: ['train'], open: openLlavaInstruct },
  ...Object.fromEntries(Object.entries(QUESTION_SETS).flatMap(([name, set]) => questionsToLearn(name, set))),
  reason_seg: { splits: ['train', 'val', 'test'], open: openReasonSeg },
};

/** None for a benchmark. */
function questionsToLearn(name: string, set: QuestionSet): [string, Registered<TrainingSet>][] {
  if (set.instruction === null) return [];
  return [[name, { splits: set.splits, open: (dir, split) => openQuestionTraining(set, dir, split) }]];
}

/** Names of all sets, and of those with expressions. */
export const DATASET_NAMES: readonly string[] = [...Object.keys(OTHERS), ...Object.keys(REFERRING)];
export const REFERRING_NAMES: readonly string[] = Object.keys(REFERRING);

/** Reads "grefcoco:testA", or "ade20k" for the split to train on. @throws UserError naming what is possible */
export function parseSetSpec(text: string): { readonly name: string; readonly split: string } {
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
  return isListedName(name) ? LISTED_SPLITS : entryOf(name, DATASET_NAMES).splits;
}

/**
 * The images of a split, as training takes them.
 * @param split that to train on where nothing is said
 * @throws UserError where there is no such set or split, or its files are missing or malformed
 */
export function openTrainingSet(name: string, dataDir: string, split?: string): TrainingSet {
  const spec = parseSetSpec(split === undefined ? name : `${name}:${split}`);
  const set = entryOf(name, DATASET_NAMES).open(dataDir, spec.split);
  return set instanceof ReferDataset ? set.trainingSet(name) : set;
}

/** A split of a set with expressions, to validate or evaluate on. @throws UserError as `openTrainingSet` */
export function openReferringSet(name: string, dataDir: string, split: string): ReferDataset {
  const entry = entryOf(name, REFERRING_NAMES);
  return entry.open(dataDir, parseSetSpec(`${name}:${split}`).split) as ReferDataset;
}

function entryOf(name: string, possible: readonly string[]): Registered<TrainingSet | ReferDataset> {
  const entry = possible.includes(name) ? (REFERRING[name] ?? OTHERS[name]) : undefined;
  if (entry !== undefined) return entry;
  throw new UserError(`There is no data set "${name}"${didYouMean(name, possible)}; known are ${possible.join(', ')}.`);
}

/** Other sets have a split to train on and none to measure on. */
export const EVALUATED_NAMES: readonly string[] = [
  ...[...REFERRING_NAMES, 'reason_seg', 'ade20k', 'mapillary'],
  ...Object.keys(LISTED_SETS),
];

/** The split that is measured where none is named. */
export function usualSplit(name: string): string {
  return { refzom: 'test', ade20k: 'validation', mapillary: 'validation' }[name] ?? 'val';
}

/** Whether the set's questions are about any number of expressions, and may be asked in other forms; 'own' is one's own. */
export function hasExpressions(name: string): boolean {
  return name === 'own' || REFERRING_NAMES.includes(name);
}

/**
 * @param options.asWritten referring expressions keep their dots
 * @throws UserError where there is no such set or split, the set is not to be evaluated on, or its files are missing or
 *   malformed
 */
export async function openEvaluatedSet(
  name: string,
  dataDir: string,
  split: string,
  options: IgnoreOptions & { readonly asWritten?: boolean },
): Promise<EvaluatedDataset> {
  if (!EVALUATED_NAMES.includes(name)) {
    const why = DATASET_NAMES.includes(name)
      ? 'is not a benchmark'
      : `is not known${didYouMean(name, EVALUATED_NAMES)}`;
    throw new UserError(`Evaluating: the data set ${name} ${why}; benchmarks are on ${EVALUATED_NAMES.join(', ')}.`);
  }
  if (isListedName(name)) {
    if (LISTED_SPLITS.includes(split)) {
      return new LabelMapEvaluation(openListedMaps(name, dataDir, split), 'class', true);
    }
    throw new UserError(`The data set ${name} has no split "${split}"; it has ${LISTED_SPLITS.join(', ')}.`);
  }
  // Tells what splits there are.
  parseSetSpec(`${name}:${split}`);
  if (hasExpressions(name)) {
    const referring = openReferringSet(name, dataDir, split);
    return options.asWritten === true ? withSentences(referring) : referring;
  }
  if (name === 'ade20k') {
    return new LabelMapEvaluation(openAde20k(dataDir, split as Ade20kSplit), 'class', options.honourIgnore);
  }
  if (name === 'mapillary') return new LabelMapEvaluation(openMapillary(dataDir, split as MapillarySplit), null);
  return openReasonEvaluation(dataDir, split as ReasonSegSplit, options);
}

/** The expressions as the dataset has them, in lower case and without outer spaces (reference: LISA's ValDataset). */
function withSentences(dataset: EvaluatedDataset): EvaluatedDataset {
  const images = dataset.images.map((image) => ({
    ...image,
    expressions: image.expressions.map((expression): ReferringExpression => {
      const { text, sentence = text, annotationIds } = expression;
      return {
        text: sentence.trim().toLowerCase(),
        annotationIds,
        get isEmpty() {
          return expression.isEmpty;
        },
      };
    }),
  }));
  return { images, targets: (image) => dataset.targets(image) };
}
