/** Optimiser as the trainer and checkpoints use it, whether one process holds its state or several share it. */
import type { NamedSquares } from './update-squares.js';
import type { NamedTensors, NamedVariables } from '../../nn/backprop.js';

/** Adam's memory of a stretch of one variable, in the variable's order of numbers. */
export interface MomentPart {
  readonly name: string;
  /** Its first number within the variable. */
  readonly start: number;
  readonly m: Float32Array;
  readonly v: Float32Array;
}

/** Gives a saved stretch of a variable that has been updated. */
export type MomentReader = (moment: 'm' | 'v', name: string, start: number, length: number) => Float32Array;

export interface OptimizerRule {
  /** Updates that each variable took part in, by name, in a fixed order. */
  readonly steps: ReadonlyMap<string, number>;
  readonly variables: NamedVariables;
  /** Norm of the mean gradient of all ranks; not finite if any number is not. @param scale 1 / micro-batches */
  globalNorm(gradients: NamedTensors, scale?: number): Promise<number>;
  /** One update with the gradients that `globalNorm` was last given. */
  apply(gradients: NamedTensors, learningRate: number, globalNorm: number, scale?: number): void | Promise<void>;
  /**
   * Size of the update that `apply` just made with these arguments, by variable. All ranks call it, and get the same.
   */
  updateSquares(gradients: NamedTensors, learningRate: number, scale?: number): Promise<NamedSquares>;
  /** Copies of the moments that this process holds, of variables that have been updated. Not collective. */
  moments(): Promise<readonly MomentPart[]>;
  /**
   * Takes over this process's share of a checkpoint's moments.
   * @param steps by name; absent for those without moments
   */
  restore(read: MomentReader, steps: Readonly<Record<string, number>>): void;
  dispose(): void;
}
