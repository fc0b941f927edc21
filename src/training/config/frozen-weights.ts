/**
 * Frozen weights in 16 bits: training needs only their products (engine/packed-matrix.ts), each of which widens a
 * matrix block by block. Sums stay float32.
 */
import { float32ToBfloat16 } from '../../half-float.js';
import { PackedMatrix, widened } from '../../engine/packed-matrix.js';
import { SMALLEST_PACKED } from '../../checkpoints/precision.js';
import type { PackedParameter } from '../../nn/composite-layer.js';
import type { PartedLayer } from '../../checkpoints/parts.js';
import { isTrainable, type Stage, type Trained } from '../trainable.js';

/** 'f32', or 'bf16': matrices of linear layers and embeddings in 16 bits, rounded to BF16 unless stored so. */
export const FROZEN_WEIGHTS = ['f32', 'bf16'] as const;
export type FrozenWeights = (typeof FROZEN_WEIGHTS)[number];

/** To be called before the model's `build`. @param smallest numbers of a matrix that counts as large */
export function holdFrozenWeights(
  network: PartedLayer & Trained,
  stage: Stage,
  frozen: FrozenWeights,
  smallest = SMALLEST_PACKED,
): void {
  if (frozen === 'bf16') network.packWeights((name, size) => size >= smallest && !isTrainable(network, name, stage));
}

/** Multiplies a matrix in 16 bits by a number, rounding to BF16. */
export function scalePacked(parameter: PackedParameter, factor: number): void {
  const { matrix, rows, columns } = parameter;
  const scaled = widened(matrix.bits(), matrix.dtype).map((value) => value * factor);
  matrix.dispose();
  parameter.matrix = PackedMatrix.create(float32ToBfloat16(scaled), 'BF16', rows, columns);
}
