/** The figures of an update by the model's parts. */
import type { PartFigures } from './run-log.js';
import { watchedPartOf } from '../../systems/parts.js';
import type { Part } from '../../systems/system.js';
import { addSquares, NO_SQUARES, type UpdateSquares } from '../optimizer/update-squares.js';

/** @param squares of every trained variable @returns by part, in their order; NaN for a ratio of weights all zero */
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
