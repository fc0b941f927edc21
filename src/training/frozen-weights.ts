/**
 * Weights that do not train, held in 16 bits. Training needs of them no more than products, forward and back
 * (engine/packed-matrix.ts), each of which widens a matrix block by block. So memory holds what trains in float32, what
 * is frozen in 16 bits, and one widened block. Sums are float32's, as ever.
 */
import { float32ToBfloat16 } from '../half-float.js';
import { PackedMatrix, widened } from '../engine/packed-matrix.js';
import type { Gsva } from '../model/gsva.js';
import type { PackedParameter } from '../nn/composite-layer.js';
import { isTrainable, type Stage } from './trainable.js';

/**
 * - 'f32': as float32.
 * - 'bf16': matrices (linear layers') in 16 bits: BF16 and F16 as they are stored, all else rounded to BF16. Norms,
 *   biases, convolutions and tables of positions stay float32.
 */
export const FROZEN_WEIGHTS = ['f32', 'bf16'] as const;
export type FrozenWeights = (typeof FROZEN_WEIGHTS)[number];

/** Has a model hold what the stage leaves frozen in that way; to be called before its `build`. */
export function holdFrozenWeights(gsva: Gsva, stage: Stage, frozen: FrozenWeights): void {
  if (frozen === 'bf16') gsva.packWeights((name) => !isTrainable(name, stage));
}

/** Multiplies a matrix in 16 bits by a number, rounding to BF16. */
export function scalePacked(parameter: PackedParameter, factor: number): void {
  const { matrix, rows, columns } = parameter;
  const scaled = widened(matrix.bits(), matrix.dtype).map((value) => value * factor);
  matrix.dispose();
  parameter.matrix = PackedMatrix.create(float32ToBfloat16(scaled), 'BF16', rows, columns);
}
