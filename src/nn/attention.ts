/**
 * Multi-head attention of vision transformers: softmax(q·kᵀ/√d)·v between two sets of tokens, with PyTorch's four
 * linear layers. CLIP calls its output layer `out_proj` and so does SAM's decoder, which may also work at a smaller
 * inner width (`downsample_rate` in segment_anything/modeling/transformer.py).
 */
import * as fused from '../engine/fused-ops.js';
import * as tf from '../engine/tf.js';
import { bfloat16ToFloat32, float32ToBfloat16 } from '../half-float.js';
import { ConfiguredLayer } from './composite-layer.js';
import { Linear } from './layers.js';

export class Attention extends ConfiguredLayer<{
  readonly size: number;
  /** Width of queries, keys and values; `size` unless the attention is narrowed. */
  readonly innerSize: number;
  readonly heads: number;
}> {
  static readonly className = 'GsvaAttention';
  private readonly key = this.track('k_proj', Linear.of(this.config.size, this.config.innerSize));
  private readonly values = this.track('v_proj', Linear.of(this.config.size, this.config.innerSize));
  private readonly query = this.track('q_proj', Linear.of(this.config.size, this.config.innerSize));
  private readonly outProjection = this.track('out_proj', Linear.of(this.config.innerSize, this.config.size));

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
      if (query === undefined) throw new Error('Attention: no input');
      return this.forward(query, key as tf.Tensor, value as tf.Tensor);
    });
  }
}
tf.serialization.registerClass(Attention);

/** Scores computed at once, in numbers: 16 MiB bound the memory of attention over a whole image. */
const MOST_SCORES = 2 ** 22;

/** [B, T, H·D] → [B, H, T, D]. */
export function splitHeads(x: tf.Tensor, heads: number): tf.Tensor4D {
  const [batch, time, width] = x.shape as [number, number, number];
  return tf.transpose(tf.reshape(x, [batch, time, heads, width / heads]), [0, 2, 1, 3]);
}

/** [B, H, T, D] → [B, T, H·D]. */
export function mergeHeads(x: tf.Tensor): tf.Tensor3D {
  const [batch, heads, time, size] = x.shape as [number, number, number, number];
  return tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [batch, time, heads * size]);
}

/**
 * softmax(q·kᵀ)·v [n, Tq, d], as many of the n products at a time as fit into bounded memory.
 * @param q [n, Tq, c], scaled @param k [n, Tk, c] @param v [n, Tk, d]
 */
export function attend(q: tf.Tensor3D, k: tf.Tensor3D, v: tf.Tensor3D): tf.Tensor3D {
  const [n, queries] = q.shape;
  const atOnce = Math.max(1, Math.floor(MOST_SCORES / (queries * k.shape[1])));
  if (atOnce >= n) return attendAtOnce(q, k, v);
  const parts: tf.Tensor3D[] = [];
  for (let first = 0; first < n; first += atOnce) {
    const some = (x: tf.Tensor3D): tf.Tensor3D => tf.slice(x, first, Math.min(atOnce, n - first));
    parts.push(tf.tidy(() => attendAtOnce(some(q), some(k), some(v))));
  }
  return tf.concat(parts, 0);
}

function attendAtOnce(q: tf.Tensor3D, k: tf.Tensor3D, v: tf.Tensor3D): tf.Tensor3D {
  const [n, queries] = q.shape;
  const keys = k.shape[1];
  const scores = tf.matMul(q, k, false, true);
  const weights = fused.maskedSoftmax(tf.reshape(scores, [1, n, queries, keys]));
  scores.dispose();
  return tf.matMul(tf.reshape(weights, [n, queries, keys]), v);
}

/**
 * cos and sin tables [time, size] for positions start … start + time - 1.
 * Column j and j + size/2 hold the angle position · θ^(-2j/size).
 * @param rounded the frequencies θ^(-2j/size) are rounded to BF16
 */
export function rotaryTables(start: number, time: number, size: number, theta: number, rounded = false) {
  const half = size / 2;
  const cos = new Float32Array(time * size);
  const sin = new Float32Array(time * size);
  for (let j = 0; j < half; j++) {
    const exact = Math.fround(1 / Math.fround(theta ** ((2 * j) / size)));
    const frequency = rounded ? toBfloat16(exact) : exact;
    for (let t = 0; t < time; t++) {
      const angle = Math.fround((start + t) * frequency);
      cos[t * size + j] = cos[t * size + j + half] = Math.cos(angle);
      sin[t * size + j] = sin[t * size + j + half] = Math.sin(angle);
    }
  }
  return { cos: tf.tensor2d(cos, [time, size]), sin: tf.tensor2d(sin, [time, size]) };
}

function toBfloat16(value: number): number {
  return bfloat16ToFloat32(float32ToBfloat16(Float32Array.of(value)))[0] as number;
}
