/** What the trainer and checkpoints ask of an optimiser, whether one process holds its state or several share it. */
import type * as tf from '../engine/tf.js';
import type { UpdateSquares } from './update-squares.js';

/** Adam's memory of one variable, in the variable's order of numbers. */
export interface Moments {
  readonly shape: readonly number[];
  readonly m: Float32Array;
  readonly v: Float32Array;
}

export interface OptimizerRule {
  /** Updates that each variable took part in, by name, in a fixed order. */
  readonly steps: ReadonlyMap<string, number>;
  readonly variables: ReadonlyMap<string, tf.Variable>;

  /**
   * Norm of the mean gradient, all micro-batches of all ranks together; not finite if any number is not.
   * @param gradients sums over this rank's micro-batches; read, not disposed
   * @param gradientScale 1 / number of micro-batches
   */
  globalNorm(gradients: ReadonlyMap<string, tf.Tensor>, gradientScale?: number): Promise<number>;

  /** One update with the gradients that `globalNorm` was last given. */
  apply(
    gradients: ReadonlyMap<string, tf.Tensor>,
    learningRate: number,
    globalNorm: number,
    gradientScale?: number,
  ): void | Promise<void>;

  /**
   * How large the update was that `apply` has just made with these arguments, by name of every variable. All ranks call
   * it, and get the same.
   */
  updateSquares(
    gradients: ReadonlyMap<string, tf.Tensor>,
    learningRate: number,
    gradientScale?: number,
  ): Promise<ReadonlyMap<string, UpdateSquares>>;

  /** The moments of every variable that has been updated, for a checkpoint; null on ranks that write none. */
  moments(): Promise<ReadonlyMap<string, Moments> | null>;

  /** Takes over a checkpoint's moments; variables that are not among them have none yet. */
  restore(moments: ReadonlyMap<string, Pick<Moments, 'm' | 'v'>>, steps: Readonly<Record<string, number>>): void;

  dispose(): void;
}
