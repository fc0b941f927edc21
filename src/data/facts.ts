/**
 * Facts of a dataset about one picture: what can be asked for and where it is. No system's words, no special tokens;
 * a system makes lessons of them (`Dialogue.lessons` in systems/system.ts). Training data comes in two steps:
 * `requestAt(n)` returns the annotations of image n as plain data that can be sent to a worker; there `makeSample` reads
 * the files and draws the facts.
 */
import type { Random } from '../random.js';
import type { BinaryMask, RgbImage } from '../types.js';
import type { Size } from './image/size-mismatch.js';
import type { Turn } from './text/conversation.js';

/** The kinds of the published mixture, in its order (reference: HybridDataset). */
export const DATASET_KINDS = ['sem_seg', 'refer_seg', 'vqa', 'reason_seg'] as const;
export type DatasetKind = (typeof DATASET_KINDS)[number];

/** Something that can be asked for. */
export interface Target {
  /** An expression, the name of a class, or a whole sentence, as the dataset has it. */
  readonly text: string;
  readonly wording: 'expression' | 'class' | 'sentence';
  /** Binary mask at the picture's size; null: absent from the picture. */
  readonly mask: BinaryMask | null;
}

/** Facts of a picture, with its size. */
export interface Facts extends Size {
  readonly kind: DatasetKind;
  /** At least one, unless there are turns. Those of ReasonSeg share a mask. */
  readonly targets: readonly Target[];
  /** Why the targets are what is meant (ReasonSeg); null where the dataset does not explain. */
  readonly explanation: string | null;
  /** A dialogue in words alone (visual question answering), `<image>` in its first question; empty elsewhere. */
  readonly turns: readonly Turn[];
}

/** A conversation to learn from: the n-th decision token of its answers is about the n-th target. */
export interface Lesson {
  /** Questions and answers; the first question has the picture in it. */
  readonly turns: readonly Turn[];
  /** `mask` is null where the answer says "absent" by a token. */
  readonly targets: readonly Pick<Target, 'text' | 'mask'>[];
}

/** Facts of a picture with targets alone. */
export function targetFacts(kind: DatasetKind, { height, width }: Size, targets: readonly Target[]): Facts {
  return { kind, height, width, targets, explanation: null, turns: [] };
}

/** Conversations of a system about facts; all chance comes from `random`. @throws UserError for what cannot be asked */
export type MakeLessons = (facts: Facts, random: Random) => readonly Lesson[];

/** Common part of requests; each kind adds what its samples are made from. Survives structuredClone. */
export interface RequestOf<K extends DatasetKind> {
  readonly kind: K;
  /** Name of the set, such as "refcoco+", for messages. */
  readonly set: string;
  /** Path of the image. */
  readonly image: string;
}

export interface TrainingSet<Request extends RequestOf<DatasetKind> = RequestOf<DatasetKind>> {
  readonly name: string;
  readonly kind: DatasetKind;
  readonly length: number;
  /** Annotations of the image at `index`, in [0, length). */
  requestAt(index: number): Request;
}

/** The images of a list as a training set. @param requestOf annotations of one of them */
export function trainingSet<Item, Request extends RequestOf<DatasetKind>>(
  name: string,
  kind: Request['kind'],
  items: readonly Item[],
  requestOf: (item: Item, index: number) => Omit<Request, 'kind' | 'set'>,
): TrainingSet<Request> {
  return {
    name,
    kind,
    length: items.length,
    requestAt: (index) => {
      const item = items[index];
      if (item === undefined) throw new RangeError(`${name}: no image ${index} in ${items.length}`);
      return { kind, set: name, ...requestOf(item, index) } as Request;
    },
  };
}

export interface SampleOptions {
  /** Most classes or expressions of an image that are asked for at a time (reference: num_classes_per_sample). */
  readonly perSample: number;
  /** Semantic segmentation: number of absent classes that are asked for too; 0 in the paper. */
  readonly absentClasses: number;
  /** Take a draw whose targets are all absent: whole-epoch order does so when ten others were no better. */
  readonly acceptAllAbsent?: boolean;
}

export interface TrainingSample {
  /** Decodes the image, which is not needed where its features are known; @throws UserError where it is damaged. */
  readonly image: () => Promise<RgbImage>;
  /** Some of what the dataset has about the image, as drawn. */
  readonly facts: Facts;
}

/**
 * One sample; all chance comes from `random`.
 * @returns null where the draw has nothing to segment @throws UserError naming the file that is missing or malformed
 */
export type MakeSample<Request> = (
  request: Request,
  random: Random,
  options: SampleOptions,
) => Promise<TrainingSample | null>;
