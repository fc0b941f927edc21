/**
 * Multi-head attention of vision transformers: softmax(q·kᵀ/√d)·v between two sets of tokens, with PyTorch's four
 * linear layers. CLIP calls its output layer `out_proj` and so does SAM's decoder, which may also work at a smaller
 * inner width (`downsample_rate` in segment_anything/modeling/transformer.py).
 */
import * as fused from '../engine/fused-ops.js';
import * as tf from '../engine/tf.js';
import { mergeHeads, splitHeads } from './attention-ops.js';
import { ConfiguredLayer } from './composite-layer.js';
import { Linear } from './linear.js';

export interface AttentionConfig {
  readonly size: number;
  /** Width of queries, keys and values; `size` unless the attention is narrowed. */
  readonly innerSize: number;
  readonly heads: number;
}

export class Attention extends ConfiguredLayer<AttentionConfig> {
  static readonly className = 'GsvaAttention';
  private readonly query: Linear;
  private readonly key: Linear;
  private readonly values: Linear;
  private readonly outProjection: Linear;

  constructor(config: AttentionConfig) {
    super(config);
    const { size, innerSize } = config;
    this.key = this.track('k_proj', new Linear({ inputSize: size, outputSize: innerSize }));
    this.values = this.track('v_proj', new Linear({ inputSize: size, outputSize: innerSize }));
    this.query = this.track('q_proj', new Linear({ inputSize: size, outputSize: innerSize }));
    this.outProjection = this.track('out_proj', new Linear({ inputSize: innerSize, outputSize: size }));
  }

  /** query [B, Tq, size], key and value [B, Tk, size] → [B, Tq, size]. */
  forward(query: tf.Tensor, key: tf.Tensor, value: tf.Tensor): tf.Tensor {
    const { heads, innerSize } = this.config;
    const q = splitHeads(this.query.forward(query), heads);
    const k = splitHeads(this.key.forward(key), heads);
    const v = splitHeads(this.values.forward(value), heads);
    const scale = 1 / Math.sqrt(innerSize / heads);
    const weights = fused.maskedSoftmax(tf.matMul(q, k, false, true), { scale });
    return this.outProjection.forward(mergeHeads(tf.matMul(weights, v)));
  }

  /** One input attends to itself; three are query, key and value. */
  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => {
      const [query, key = query, value = key] = Array.isArray(inputs) ? inputs : [inputs];
      if (query === undefined || key === undefined || value === undefined) throw new Error('Attention: no input');
      return this.forward(query, key, value);
    });
  }
}
tf.serialization.registerClass(Attention);
