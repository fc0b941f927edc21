/** Layers over the last axis, and tables of learned rows. */
import * as fused from '../engine/fused-ops.js';
import * as tf from '../engine/tf.js';
import { ConfiguredLayer, type Shape } from './composite-layer.js';

export interface LinearConfig {
  readonly inputSize: number;
  readonly outputSize: number;
  readonly useBias?: boolean;
  /** Deviation of the weight's start values; default 1/√in. */
  readonly deviation?: number;
}

/** y = x·W + b, PyTorch's nn.Linear: `weight` ([out, in] there, [in, out] here, packed [out, in]) and `bias` [out]. */
export class Linear<Config extends LinearConfig = LinearConfig> extends ConfiguredLayer<Config> {
  static readonly className: string = 'GsvaLinear';
  protected readonly weight: () => tf.Tensor2D;
  private readonly bias: (() => tf.Tensor1D) | null;

  constructor(config: Config) {
    const { inputSize, outputSize, useBias = true, deviation = 1 / Math.sqrt(inputSize) } = config;
    super(config, outputSize);
    const initial = { deviation };
    this.weight = this.parameter('weight', [inputSize, outputSize], initial, { kind: 'linear' }, true);
    this.bias = useBias ? this.parameter('bias', [outputSize], { constant: 0 }) : null;
  }

  static of(inputSize: number, outputSize: number): Linear {
    return new Linear({ inputSize, outputSize });
  }

  /** x [..., in] → [..., out]. */
  forward(x: tf.Tensor): tf.Tensor {
    const bias = this.bias?.() ?? null;
    const matrix = this.packed('weight');
    if (matrix === null) return fused.linear(x, this.weight(), bias);
    return bias === null ? matrix.multiply(x) : tf.tidy(() => tf.add(matrix.multiply(x), bias));
  }

  /**
   * Products of queries with the outputs, without the outputs: q · (x·W + b) = (q·Wᵀ) · x + q · b. Inside tf.tidy.
   * @param q [n, out] @param x [m, in] @returns [n, m]
   */
  products(q: tf.Tensor2D, x: tf.Tensor2D): tf.Tensor2D {
    const matrix = this.packed('weight');
    const pulled: tf.Tensor2D =
      matrix === null ? tf.matMul(q, this.weight(), false, true) : tf.matMul(q, matrix.widen()); // packed [out, in]
    const found: tf.Tensor2D = tf.matMul(pulled, x, false, true);
    if (this.bias === null) return found;
    return tf.add(found, tf.matMul(q, tf.expandDims<tf.Tensor2D>(this.bias(), 1)));
  }
}
tf.serialization.registerClass(Linear);

/** A stack of linear layers with ReLU between them, none after the last (SAM's `MLP`: hypernetworks, IoU head). */
export class Mlp extends ConfiguredLayer<{
  /** Widths from input to output, at least two. */
  readonly sizes: readonly number[];
}> {
  static readonly className = 'GsvaMlp';
  private readonly linears = this.config.sizes.slice(1).map((outputSize, index) => {
    return this.track(`layers.${index}`, Linear.of(this.config.sizes[index] ?? 0, outputSize));
  });

  /** x [..., sizes[0]] → [..., sizes.at(-1)]. */
  forward(x: tf.Tensor): tf.Tensor {
    return this.linears.reduce((y, linear, index) => linear.forward(index === 0 ? y : tf.relu(y)), x);
  }

  override computeOutputShape(inputShape: Shape): Shape {
    return [...inputShape.slice(0, -1), this.config.sizes.at(-1) ?? null];
  }
}
tf.serialization.registerClass(Mlp);

/** Standard deviation of the start values, as in LLaMA. */
export const EMBEDDING_DEVIATION = 0.02;

/** A table of learned rows: token embeddings, learned tokens, position tables. PyTorch's nn.Embedding. */
export class Embedding extends ConfiguredLayer<{ readonly rows: number; readonly size: number }> {
  static readonly className = 'GsvaEmbedding';
  private readonly weight = this.parameter(
    'weight',
    [this.config.rows, this.config.size],
    { deviation: EMBEDDING_DEVIATION },
    { kind: 'same' },
    true,
  );

  /** The whole table [rows, size], for use inside tf.tidy (not a copy, unless it is packed; do not dispose). */
  get table(): tf.Tensor2D {
    return this.packed('weight')?.widen() ?? this.weight();
  }

  /** ids int32 [...] in [0, rows) → [..., size]. */
  forward(ids: tf.Tensor): tf.Tensor {
    return this.packed('weight')?.gather(ids) ?? tf.gather(this.table, ids);
  }

  override computeOutputShape(inputShape: Shape): Shape {
    return [...inputShape, this.config.size];
  }
}
tf.serialization.registerClass(Embedding);

interface NormConfig {
  readonly size: number;
  readonly epsilon: number;
}

/** y = (x - mean) / sqrt(variance + ε) · weight + bias; channels are last, so SAM's LayerNorm2d is the same layer. */
export class LayerNorm extends ConfiguredLayer<NormConfig> {
  static readonly className = 'GsvaLayerNorm';
  private readonly weight = this.parameter('weight', [this.config.size], { constant: 1 });
  private readonly bias = this.parameter('bias', [this.config.size], { constant: 0 });

  /** x [..., size] → [..., size]. */
  forward(x: tf.Tensor): tf.Tensor {
    return fused.layerNorm(x, this.weight(), this.bias(), this.config.epsilon);
  }
}
tf.serialization.registerClass(LayerNorm);

/** y = x / sqrt(mean(x²) + ε) · weight (LLaMA). */
export class RmsNorm extends ConfiguredLayer<NormConfig> {
  static readonly className = 'GsvaRmsNorm';
  private readonly weight = this.parameter('weight', [this.config.size], { constant: 1 });

  /** x [..., size] → [..., size]. */
  forward(x: tf.Tensor): tf.Tensor {
    return fused.rmsNorm(x, this.weight(), this.config.epsilon);
  }
}
tf.serialization.registerClass(RmsNorm);
