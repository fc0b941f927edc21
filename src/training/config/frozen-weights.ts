/**
 * Weights that do not train, held in 16 bits. Training needs of them no more than products, forward and back
 * (engine/packed-matrix.ts), each of which widens a matrix block by block. So memory holds what trains in float32, what
 * is frozen in 16 bits, and one widened block. Sums are float32's, as ever.
 */
import { float32ToBfloat16 } from '../../half-float.js';
import { PackedMatrix, widened } from '../../engine/packed-matrix.js';
import { SMALLEST_PACKED } from '../../checkpoints/precision.js';
import type { PackedParameter } from '../../nn/composite-layer.js';
import type { PartedLayer } from '../../checkpoints/parts.js';
import { isTrainable, type Stage } from '../trainable.js';

/**
 * - 'f32': as float32.
 * - 'bf16': the large matrices (of linear layers and embeddings) in 16 bits: BF16 and F16 as they are stored, all else
 *   rounded to BF16. Small ones, norms, biases and convolutions stay float32.
 */
export const FROZEN_WEIGHTS = ['f32', 'bf16'] as const;
export type FrozenWeights = (typeof FROZEN_WEIGHTS)[number];

/**
 * Has a model hold what the stage leaves frozen in that way; to be called before its `build`.
 * @param smallest numbers of a matrix from which on it counts as large
 */
export function holdFrozenWeights(
  network: PartedLayer,
  stage: Stage,
  frozen: FrozenWeights,
  smallest = SMALLEST_PACKED,
): void {
  if (frozen === 'bf16')
    network.packWeights((name, size) => size >= smallest && !isTrainable(network.parts, name, stage));
}

/** Multiplies a matrix in 16 bits by a number, rounding to BF16. */
export function scalePacked(parameter: PackedParameter, factor: number): void {
  const { matrix, rows, columns } = parameter;
  const scaled = widened(matrix.bits(), matrix.dtype).map((value) => value * factor);
  matrix.dispose();
  parameter.matrix = PackedMatrix.create(float32ToBfloat16(scaled), 'BF16', rows, columns);
}
