/** The figures of an update by the model's parts. */
import type { PartFigures } from './run-log.js';
import { watchedPartOf } from '../../checkpoints/parts.js';
import type { Part } from '../../checkpoints/parts.js';
import { addSquares, NO_SQUARES, type UpdateSquares } from '../optimizer/update-squares.js';

/**
 * @param squares of every trained variable, by name
 * @returns by part, in the order of the variables; a ratio of weights that are all zero is NaN
 */
export function partFigures(
  squares: ReadonlyMap<string, UpdateSquares>,
  table: readonly Part[] = [],
): Record<string, PartFigures> {
  const parts = new Map<string, UpdateSquares>();
  for (const [name, own] of squares) {
    const part = watchedPartOf(table, name);
    parts.set(part, addSquares(parts.get(part) ?? NO_SQUARES, own));
  }
  return Object.fromEntries(
    [...parts].map(([part, { gradient, weights, change }]) => [
      part,
      { gradNorm: Math.sqrt(gradient), updateRatio: weights > 0 ? Math.sqrt(change / weights) : NaN },
    ]),
  );
}
