/** Tensors of SELF1E held against the recorded ones of their names. */
import * as tf from '../engine/tf.js';
import type { TileGrid } from '../types.js';
import type { Self1eCase } from './self1e-case.js';
import { largestDifference, largestMagnitude, toleranceItem, type VerifyItem } from './verify-item.js';

/** Relative to the largest value of the recorded tensor. */
export const SELF1E_TOLERANCE = 5e-5;

export interface Compared {
  readonly name: string;
  readonly found: tf.Tensor;
  /** Tokens of each row of [B, T, C] that are compared: behind them stands padding. */
  readonly lengths?: readonly number[];
  /** `found` in another order, one of which the recording has. */
  readonly reordered?: tf.Tensor;
}

/** @param compute tensors that are disposed here */
export async function compareAll(recorded: Self1eCase, compute: () => Compared[]): Promise<VerifyItem[]> {
  let compared: Compared[] = [];
  const tensors = ({ found, reordered }: Compared): tf.Tensor[] =>
    reordered === undefined ? [found] : [found, reordered];
  tf.tidy(() => {
    compared = compute();
    return compared.map(tensors);
  });
  try {
    const items: VerifyItem[] = [];
    for (const one of compared) {
      const found: VerifyItem[] = [];
      for (const x of tensors(one)) {
        found.push(relativeItem(recorded, one.name, await x.data<'float32'>(), one.lengths));
      }
      items.push(best(found));
    }
    return items;
  } finally {
    tf.dispose(compared.map(tensors));
  }
}

/** Item with the smallest error. */
export function best(items: readonly VerifyItem[]): VerifyItem {
  return items.reduce((least, item) => (item.largestError < least.largestError ? item : least));
}

/** @param lengths of the rows of [B, T, C]; all of the tensor without */
export function relativeItem(
  recorded: Self1eCase,
  name: string,
  values: Float32Array,
  lengths?: readonly number[],
  tolerance = SELF1E_TOLERANCE,
): VerifyItem {
  const { shape, data } = recorded.tensors.get(name);
  const [, time = 0, size = 0] = shape;
  const ranges = lengths?.map((length, row) => [row * time * size, (row * time + length) * size]) ?? [[0, data.length]];
  const differences = ranges.map(([begin, end]) => {
    return largestDifference(values.subarray(begin, end), data.subarray(begin, end));
  });
  const largest = values.length === data.length ? Math.max(...differences) : Infinity;
  const detail = `[${shape.join(', ')}], relative to the largest value`;
  return toleranceItem(name, largest / largestMagnitude(data), tolerance, detail);
}

/** Tensors of the head that a recording may have tile by tile or with the tiles put together: I, f′(I), f(V1). */
export const OF_TILES = ['i_states', 'f_all_i', 'f_ori_v1'];

/** Tiles that were put together, one after the other: x [rows·h, columns·w, D] → [tiles·h·w, D]; null: one tile alone. */
export function tileByTile(x: tf.Tensor, { columns, rows }: TileGrid): tf.Tensor | null {
  if (columns * rows === 1) return null;
  const [height = 0, width = 0, size = 0] = x.shape;
  const tiles = tf.reshape(x, [rows, height / rows, columns, (width / columns) * size]);
  return tf.reshape(tf.transpose(tiles, [0, 2, 1, 3]), [height * width, size]);
}
