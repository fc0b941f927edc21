/**
 * Training data in two steps. `requestAt(n)` returns the annotations of image n as plain data that can be sent to a
 * worker thread. From a request and a generator, `makeSample` (make-sample.ts) reads the files, draws expressions or
 * classes and makes their masks: facts, of which a system makes questions and answers. So annotations are held once, and
 * everything that takes time happens in the worker.
 */
import type { Random } from '../../random.js';
import type { RgbImage } from '../../types.js';
import type { DatasetKind, Facts } from '../facts.js';

/** What every request has; each kind adds what its samples are made from. Survives structuredClone. */
export interface RequestOf<K extends DatasetKind> {
  readonly kind: K;
  /** Name of the set, such as "refcoco+", for messages. */
  readonly set: string;
  /** Path of the image. */
  readonly image: string;
}

/** One set of images to train on. */
export interface TrainingSet<Request extends RequestOf<DatasetKind> = RequestOf<DatasetKind>> {
  readonly name: string;
  readonly kind: DatasetKind;
  /** Number of images. */
  readonly length: number;
  /** What is known of the image at `index`, in [0, length). */
  requestAt(index: number): Request;
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
 * Makes a sample of one kind. All chance comes from `random`.
 * @returns null where the draw has nothing to segment (no class, or every target absent unless those are accepted):
 *   another is to be drawn.
 * @throws UserError naming the file where a file is missing or malformed: the sample is bad.
 */
export type MakeSample<Request> = (
  request: Request,
  random: Random,
  options: SampleOptions,
) => Promise<TrainingSample | null>;
