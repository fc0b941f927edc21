/** Input embeddings of a language model whose rows hold text and vision tokens. */
import * as tf from '../engine/tf.js';
import type { Embedding } from '../nn/layers.js';
import type { MultimodalRows } from './multimodal-rows.js';

/**
 * @param table token embeddings @param visionTokens [tiles, N, D]; null: text alone
 * @returns [B, T, D]
 */
export function embedRows(table: Embedding, rows: MultimodalRows, visionTokens: tf.Tensor | null): tf.Tensor3D {
  const { batch } = rows.tokens;
  const shape: [number, number] = [batch, rows.time];
  const text = table.forward(tf.tensor2d(rows.textIndex, shape, 'int32'));
  if (visionTokens === null) return text as tf.Tensor3D;
  const features = tf.reshape(visionTokens, [-1, visionTokens.shape.at(-1) as number]);
  const vision = tf.gather(features, tf.tensor2d(rows.visionIndex, shape, 'int32'));
  const isVision = tf.tensor3d(rows.isVision, [batch, rows.time, 1]);
  return tf.add(tf.mul(text, tf.sub(1, isVision)), tf.mul(vision, isVision));
}
