/**
 * Attention rule of SELF1E: causal, but vision tokens see each other and [SEG]. Plain numbers; the model makes a bias
 * (0 or −∞) of them. Token id 0 is padding, and the token "!" too: no query sees it as a key, but itself.
 */
import type { MultimodalRows } from '../../networks/multimodal-rows.js';

/** Rows of tokens with vision tokens in place, padded on the right with 0. */
export interface ExpandedTokens {
  /** [B·T] ids; the picture's are <IMG_CONTEXT>. */
  readonly ids: Int32Array;
  readonly batch: number;
  readonly time: number;
}

/** Ids that the rule knows. */
export interface RuleIds {
  readonly imageContext: number;
  readonly seg: number;
}

const PADDING = 0;

/** Ids of rows after the placeholder of the picture gave way to its vision tokens. */
export function expandedTokens(rows: MultimodalRows, imageContext: number): ExpandedTokens {
  return { ids: rows.idsWith(imageContext), batch: rows.tokens.batch, time: rows.time };
}

/**
 * Visible keys of every query, as uint8 [B, T (query), T (key)] flat, 1 where the query sees the key:
 * - j ≤ i and id(j) ≠ 0;
 * - j = i whatever the id, where any row of the batch has a [SEG];
 * - in a row with a [SEG], for i a vision token, also every vision token and every [SEG].
 */
export function visibleKeys({ ids, batch, time }: ExpandedTokens, { imageContext, seg }: RuleIds): Uint8Array {
  const seesItself = ids.includes(seg);
  const visible = new Uint8Array(batch * time * time);
  for (let row = 0; row < batch; row++) {
    const own = ids.subarray(row * time, (row + 1) * time);
    const shared = own.includes(seg) ? own.map((id) => Number(id === imageContext || id === seg)) : null;
    for (const [i, query] of own.entries()) {
      const keys = visible.subarray((row * time + i) * time, (row * time + i + 1) * time);
      for (let j = 0; j <= i; j++) if (own[j] !== PADDING) keys[j] = 1;
      if (seesItself) keys[i] = 1;
      if (shared === null || query !== imageContext) continue;
      for (let j = i + 1; j < time; j++) if (shared[j] === 1) keys[j] = 1;
    }
  }
  return visible;
}
