/** Readings of a language model that others continue: with the keys and values of their rows. */
import type { Steps } from '../../engine/steps.js';
import type { DecoderLm, LayerCache } from '../../networks/decoder-lm/decoder-lm.js';
import type { MultimodalRows } from '../../networks/multimodal-rows.js';
import * as tf from '../../engine/tf.js';
import { IMAGE_TOKEN_ID } from '../../special-tokens.js';
import type { FeatureTensors, Reading, ReadOptions } from '../system.js';

/** A reading with the keys and values of its rows, where they were kept. */
export class CachedReading implements Reading {
  constructor(
    readonly rows: MultimodalRows,
    readonly features: FeatureTensors,
    readonly hidden: tf.Tensor3D,
    readonly caches: readonly LayerCache[] | null,
    /** For every row the ids of all its tokens, those of the readings before among them; -200 at vision tokens. */
    readonly ids: readonly Int32Array[],
  ) {}

  dispose(): void {
    this.hidden.dispose();
    disposeCaches(this.caches ?? []);
  }
}

/** Inputs of a reading; disposed by it. */
interface Inputs {
  /** Embeddings [B, T, D]. */
  readonly embed: () => tf.Tensor;
  /** As `DecoderContext.scoreBias`; by default all is causal. @param past ids of the tokens before the rows, if any */
  readonly bias?: (past: readonly Int32Array[] | null) => tf.Tensor4D | null;
}

/**
 * A reading of rows by a decoder, layer by layer; the reading owns its states and its cache.
 */
export function* decoderReading(
  decoder: DecoderLm,
  rows: MultimodalRows,
  features: FeatureTensors,
  { after, keepCache = false }: ReadOptions,
  { embed, bias = () => null }: Inputs,
): Steps<CachedReading> {
  const from = after?.from ?? 0;
  const before = after === undefined ? null : idsBefore(after);
  const { embeddings, cos, sin, padded, biases, keys, values } = tf.tidy(() => {
    const lengths = rows.lengths.map((length) => from + length);
    const { cos, sin, keyLengths } = decoder.context(from, rows.time, lengths);
    const scoreBias = bias(before);
    return {
      ...{ embeddings: embed(), cos, sin, ...beginnings(after) },
      ...{ padded: keyLengths === null ? [] : [keyLengths], biases: scoreBias === null ? [] : [scoreBias] },
    };
  });
  try {
    const context = { cos, sin, keyLengths: padded[0] ?? null, scoreBias: biases[0] ?? null, dropoutSeed: null };
    const copied = keys.map((layer, i) => ({ keys: layer, values: values[i] as tf.Tensor4D }));
    const past = after === undefined ? null : copied.length > 0 ? copied : cacheOf(after.reading);
    const [hidden, caches] = yield* decoder.forwardSteps(embeddings, context, past);
    if (!keepCache) disposeCaches(caches);
    return new CachedReading(rows, features, hidden as tf.Tensor3D, keepCache ? caches : null, idsOf(rows, before));
  } finally {
    tf.dispose([embeddings, cos, sin, padded, biases, keys, values]);
  }
}

/** @param before ids of the tokens before the rows, if any */
function idsOf(rows: MultimodalRows, before: readonly Int32Array[] | null): Int32Array[] {
  const { time, tokens } = rows;
  const own = rows.idsWith(IMAGE_TOKEN_ID);
  return Array.from({ length: tokens.batch }, (_, row) => {
    const past = before?.[row] ?? new Int32Array(0);
    const ids = new Int32Array(past.length + time);
    ids.set(past);
    ids.set(own.subarray(row * time, (row + 1) * time), past.length);
    return ids;
  });
}

/** Keys and values of a reading that another continues. */
function cacheOf(reading: Reading): readonly LayerCache[] {
  if (reading instanceof CachedReading && reading.caches !== null) return reading.caches;
  throw new Error('a reading is continued whose cache was not kept');
}

function idsBefore({ reading, rows, from }: NonNullable<ReadOptions['after']>): Int32Array[] {
  if (!(reading instanceof CachedReading)) throw new Error('a reading is continued that is not one of a decoder');
  return rows.map((row) => (reading.ids[row] as Int32Array).subarray(0, from));
}

/** Copies of the first `from` positions of the rows that go on; none where all of a reading goes on. */
function beginnings(after: ReadOptions['after']): { keys: tf.Tensor4D[]; values: tf.Tensor4D[] } {
  if (after === undefined) return { keys: [], values: [] };
  const { reading, rows, from } = after;
  const caches = cacheOf(reading);
  const [batch, , time] = caches[0]?.keys.shape ?? [];
  if (from === time && rows.length === batch && rows.every((row, i) => row === i)) return { keys: [], values: [] };
  const index = tf.tensor1d([...rows], 'int32');
  const beginning = (x: tf.Tensor4D): tf.Tensor4D => tf.gather(tf.slice(x, [0, 0, 0, 0], [-1, -1, from, -1]), index); // [B, H, T, D] → [n, H, from, D]
  return { keys: caches.map(({ keys }) => beginning(keys)), values: caches.map(({ values }) => beginning(values)) };
}

function disposeCaches(caches: readonly LayerCache[]): void {
  for (const { keys, values } of caches) tf.dispose([keys, values]);
}
