/**
 * What the trainer asks of the thing that it trains.
 *
 * The trainer knows no model: it draws samples, adds up gradients, updates variables, validates, writes checkpoints.
 * A task knows its model and its data, and nothing of optimisers, schedules or files other than its own weights.
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
   * Loads and prepares the sample at a position: plain data, best without tensors (how many samples are ahead varies).
   * Runs ahead of the training and several at a time, so what it gives may depend on nothing but the position.
   * @returns null where what stands there cannot be used: the next position takes its place
   */
  at(position: number): Promise<Sample | null>;

  /** Ends what loads the samples; called once, when the run is over. */
  close?(): Promise<void>;
}

export interface TrainingTask<Sample> {
  /** What trains, by name, in a fixed order. */
  readonly variables: ReadonlyMap<string, tf.Variable>;

  /** The model, in which the part is looked for that made a loss that is not finite; without it none is named. */
  readonly network?: Network;

  /** Samples that count as an epoch. */
  readonly sampleCount: number;

  /**
   * The samples of a run, in an order that is the task's own.
   * @param random seed of order and draws (templates, chosen expressions)
   * @param report takes a line for the person watching
   */
  samples(random: Random, report: (message: string) => void): SampleStream<Sample>;

  /** Frees what a sample holds, if it must be freed; called exactly once for every prepared sample, used or not. */
  release?(sample: Sample): void;

  /** How a person finds the sample: image file, id. */
  nameOf(sample: Sample): string;

  /**
   * One micro-batch: losses and gradients of the total. `random` belongs to this micro-batch (dropout); a resumed run
   * gets the same one. Nothing but the returned tensors is left behind.
   */
  forwardBackward(batch: readonly Sample[], random: Random): Gradients | Promise<Gradients>;

  /** Figures on the validation set, by name; once `signal` is aborted it may end early, its result is then ignored. */
  validate?(signal?: Abortable): Promise<Readonly<Record<string, number>>>;

  /** The weights as they are now (and what is needed to use them), as the files of a folder, in memory of their own. */
  checkpointFiles(): Promise<readonly PendingFile[]>;

  /** Sets the weights to what `checkpointFiles` gave, written into `dir`; checks everything before it changes anything. */
  restore(dir: string): Promise<void>;
}
