/**
 * What the datasets give to training, in two steps. A set says what it knows of its n-th image: a request, plain data
 * that can be sent to a worker thread. From a request and a generator, `makeSample` (make-sample.ts) reads the files,
 * draws expressions or classes and makes question, answer and masks. So annotations are held once, and everything that
 * takes time or chance happens in the worker.
 */
import type { Random } from '../../random.js';
import type { BinaryMask, RgbImage } from '../../types.js';
import type { Variant } from '../../variant.js';
import type { Turn } from '../text/conversation.js';

/** The kinds of the published mixture, in its order (reference: HybridDataset). */
export const DATASET_KINDS = ['sem_seg', 'refer_seg', 'vqa', 'reason_seg'] as const;
export type DatasetKind = (typeof DATASET_KINDS)[number];

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
  /** At most so many classes or expressions of an image in one conversation (reference: num_classes_per_sample). */
  readonly perSample: number;
  /** Semantic segmentation: so many classes that are not in the image are asked for too, as [REJ]; 0 in the paper. */
  readonly absentClasses: number;
  /** Take a draw whose targets are all absent: whole-epoch order does so when ten others were no better. */
  readonly acceptAllAbsent?: boolean;
  /** What the answers are made of; default: as published. */
  readonly variant?: Variant;
}

/** What one [SEG] or [REJ] of the answers stands for. */
export interface SampleTarget {
  /** The expression or class. */
  readonly text: string;
  /** At the image's size; null where the answer is [REJ]. */
  readonly mask: BinaryMask | null;
}

/** One conversation about the image. */
export interface SampleConversation {
  /** Questions and answers; the first question has the image in it. */
  readonly turns: readonly Turn[];
  /** One per [SEG] and [REJ] of the answers, in order. */
  readonly targets: readonly SampleTarget[];
}

export interface TrainingSample extends SampleConversation {
  /** Decodes the image, which is not needed where its features are known; @throws UserError where it is damaged. */
  readonly image: () => Promise<RgbImage>;
  /**
   * Further conversations about the image, each learned from by itself: ReasonSeg has one for each text, a variant with
   * a single [SEG] one for each target.
   */
  readonly others?: readonly SampleConversation[];
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
