/**
 * Contract between the trainer, which knows no model, and a task, which knows its model and data but no optimiser,
 * schedule or file other than its own weights.
 */
import type { Abortable } from '../../abortable.js';
import type * as tf from '../../engine/tf.js';
import type { PendingFile } from '../../io/atomic/pending-file.js';
import type { Network } from '../../checkpoints/not-finite.js';
import type { Gradients } from '../../nn/loss-parts.js';
import type { Random } from '../../random.js';

/** The samples of a run by position: how many were drawn since the run began. */
export interface SampleStream<Sample> {
  /**
   * Prepares the sample at a position, ahead of the training and several at a time; depends on the position alone.
   * @returns null where it cannot be used: the next position takes its place
   */
  at(position: number): Promise<Sample | null>;
  /** Ends what loads the samples; called once, when the run is over. */
  close?(): Promise<void>;
}

export interface TrainingTask<Sample> {
  /** Trained variables by name, in a fixed order. */
  readonly variables: ReadonlyMap<string, tf.Variable>;
  /** The model, in which the part is looked for that made a loss that is not finite; without it none is named. */
  readonly network?: Network;
  /** Samples that count as an epoch. */
  readonly sampleCount: number;
  /** @param random seed of order and draws @param report takes a line for the person watching */
  samples(random: Random, report: (message: string) => void): SampleStream<Sample>;
  /** Frees what a sample holds, if it must be freed; called exactly once for every prepared sample, used or not. */
  release?(sample: Sample): void;
  /** How a person finds the sample: image file, id. */
  nameOf(sample: Sample): string;
  /**
   * One micro-batch; `random` (dropout) belongs to it, also after a resume. Nothing but the returned tensors remains.
   */
  forwardBackward(batch: readonly Sample[], random: Random): Gradients | Promise<Gradients>;
  /** Figures on the validation set, by name; once `signal` is aborted it may end early, its result is then ignored. */
  validate?(signal?: Abortable): Promise<Readonly<Record<string, number>>>;
  /** The weights as they are now (and what is needed to use them), as the files of a folder, in memory of their own. */
  checkpointFiles(): Promise<readonly PendingFile[]>;
  /** Sets the weights to what `checkpointFiles` gave, written into `dir`; checks everything before it changes anything. */
  restore(dir: string): Promise<void>;
}
