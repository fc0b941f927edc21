/** The attention rule as a bias of the scores; null where a plain causal attention does the same. */
import * as tf from '../../engine/tf.js';
import type { MultimodalRows } from '../../networks/multimodal-rows.js';
import type { ReadOptions } from '../system.js';
import { expandedTokens, type RuleIds, visibleKeys } from './attention-rule.js';

/** A score so low that its weight is 0. */
const HIDDEN = -1e30;
const PADDING = 0;

/**
 * @param options a reading that keeps its cache, or continues one, is causal
 * @param past ids of the tokens that stand before the rows [B, P], in the order of the rows; null: none
 * @returns [B, 1, T, P + T]
 */
export function scoreBias(
  rows: MultimodalRows,
  ids: RuleIds,
  { after, keepCache = false }: ReadOptions,
  past: readonly Int32Array[] | null,
): tf.Tensor4D | null {
  const tokens = expandedTokens(rows, ids.imageContext);
  const isWhole = after === undefined && !keepCache;
  if (isWhole && tokens.ids.includes(ids.seg)) return biasOf(visibleKeys(tokens, ids), tokens.batch, tokens.time);
  const isPlain = rows.lengths.every((length, row) => {
    const own = tokens.ids.subarray(row * tokens.time, row * tokens.time + length);
    return !own.includes(PADDING) && past?.[row]?.includes(PADDING) !== true;
  });
  return isPlain ? null : causalBias(tokens.ids, tokens.batch, tokens.time, past);
}

/** Query i of a row sees the usable keys up to itself, those before the rows among them. */
function causalBias(ids: Int32Array, batch: number, time: number, past: readonly Int32Array[] | null): tf.Tensor4D {
  const before = past?.[0]?.length ?? 0;
  const keys = before + time;
  const bias = new Float32Array(batch * time * keys).fill(HIDDEN);
  for (let row = 0; row < batch; row++) {
    const usable = [...(past?.[row] ?? []), ...ids.subarray(row * time, (row + 1) * time)].map((id) => id !== PADDING);
    for (let i = 0; i < time; i++) {
      for (let j = 0; j <= before + i; j++) if (usable[j] === true) bias[(row * time + i) * keys + j] = 0;
    }
  }
  return tf.tensor4d(bias, [batch, 1, time, keys]);
}

function biasOf(visible: Uint8Array, batch: number, time: number): tf.Tensor4D {
  const bias = new Float32Array(visible.length);
  for (let i = 0; i < visible.length; i++) if (visible[i] === 0) bias[i] = HIDDEN;
  return tf.tensor4d(bias, [batch, 1, time, time]);
}
