/**
 * Training data in two steps: `requestAt(n)` returns the annotations of image n as plain data that can be sent to a
 * worker; there `makeSample` reads the files and draws the facts, of which a system makes questions and answers.
 */
import type { Random } from '../../random.js';
import type { RgbImage } from '../../types.js';
import type { DatasetKind, Facts } from '../facts.js';

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
