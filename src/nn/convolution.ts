/**
 * Three convolutions, each as one matrix product: the WASM engine has no gradient for Conv2D's filter, and every engine
 * is fastest at products of large matrices.
 */
import * as fused from '../engine/fused-ops.js';
import * as tf from '../engine/tf.js';
import { ConfiguredLayer, type Shape } from './composite-layer.js';

export interface ConvolutionConfig {
  readonly inputSize: number;
  readonly outputSize: number;
  /** Side of the square kernel in pixels. */
  readonly kernel: number;
  readonly useBias?: boolean;
}

/** The kernel as a matrix [k·k·in, out], with or without a bias. */
abstract class Convolution extends ConfiguredLayer<ConvolutionConfig> {
  private readonly weight: () => tf.Tensor2D;
  private readonly bias: (() => tf.Tensor1D) | null;

  constructor(config: ConvolutionConfig) {
    super(config);
    const { inputSize, outputSize, kernel, useBias = true } = config;
    const fanIn = kernel * kernel * inputSize;
    const layout = { kind: 'conv', kernel: [kernel, kernel] } as const;
    this.weight = this.parameter('weight', [fanIn, outputSize], { deviation: 1 / Math.sqrt(fanIn) }, layout);
    this.bias = useBias ? this.parameter('bias', [outputSize], { constant: 0 }) : null;
  }

  /** [..., k·k·in] → [..., out]. */
  protected multiply(x: tf.Tensor): tf.Tensor {
    return fused.linear(x, this.weight(), this.bias?.() ?? null);
  }

  override computeOutputShape(inputShape: Shape): Shape {
    return scaledShape(inputShape, 1, this.config.outputSize);
  }
}

/** Conv2d with stride = kernel and no overlap: patch embeddings (ViT) and SAM's mask downscaling. */
export class PatchConvolution extends Convolution {
  static readonly className = 'GsvaPatchConvolution';

  /** x [B, H, W, in] → [B, H/k, W/k, out]. */
  forward(x: tf.Tensor): tf.Tensor4D {
    const { kernel: k, outputSize } = this.config;
    const [batch, height, width, channels] = x.shape as [number, number, number, number];
    const rows = height / k;
    const columns = width / k;
    // [B, H, W, C] → [B·rows, k, columns, k·C] → [B·rows, columns, k, k·C] → [B·rows·columns, k·k·C]
    const strips = tf.transpose(tf.reshape(x, [batch * rows, k, columns, k * channels]), [0, 2, 1, 3]);
    const y = this.multiply(tf.reshape(strips, [batch * rows * columns, k * k * channels]));
    return tf.reshape(y, [batch, rows, columns, outputSize]);
  }

  override computeOutputShape(inputShape: Shape): Shape {
    return scaledShape(inputShape, 1 / this.config.kernel, this.config.outputSize);
  }
}
tf.serialization.registerClass(PatchConvolution);

/** Conv2d with stride 1 and zero padding that keeps the size (1×1 and 3×3 in SAM's neck). */
export class SameConvolution extends Convolution {
  static readonly className = 'GsvaSameConvolution';

  /** x [B, H, W, in] → [B, H, W, out]. */
  forward(x: tf.Tensor): tf.Tensor {
    const { kernel: k } = this.config;
    const [, height, width] = x.shape as [number, number, number];
    if (k === 1) return this.multiply(x);
    const margin = (k - 1) / 2;
    const padded = tf.pad(x, [[0, 0], ...[0, 1].map((): [number, number] => [margin, margin]), [0, 0]]);
    const shifts = Array.from({ length: k * k }, (_, place) => {
      return tf.slice(padded, [0, Math.floor(place / k), place % k, 0], [-1, height, width, -1]);
    });
    return this.multiply(tf.concat(shifts, 3));
  }
}
tf.serialization.registerClass(SameConvolution);

/** ConvTranspose2d with stride = kernel: every pixel becomes a k×k block (SAM's mask upscaling). */
export class PatchDeconvolution extends ConfiguredLayer<ConvolutionConfig> {
  static readonly className = 'GsvaPatchDeconvolution';
  private readonly weight = this.parameter(
    'weight',
    [this.config.inputSize, this.config.kernel ** 2 * this.config.outputSize],
    { deviation: 1 / Math.sqrt(this.config.inputSize) },
    { kind: 'conv-transpose', kernel: [this.config.kernel, this.config.kernel] },
  );
  private readonly bias = this.parameter('bias', [this.config.outputSize], { constant: 0 });

  /** x [B, H, W, in] → [B, k·H, k·W, out]. */
  forward(x: tf.Tensor): tf.Tensor4D {
    const { kernel: k, outputSize } = this.config;
    const [batch, height, width] = x.shape as [number, number, number, number];
    const y = fused.linear(x, this.weight(), tf.tile(this.bias(), [k * k]));
    // [B, H, W, k·k·out] → [B·H, W, k, k·out] → [B·H, k, W, k·out] → [B, k·H, k·W, out]
    const blocks = tf.transpose(tf.reshape(y, [batch * height, width, k, k * outputSize]), [0, 2, 1, 3]);
    return tf.reshape(blocks, [batch, k * height, k * width, outputSize]);
  }

  override computeOutputShape(inputShape: Shape): Shape {
    return scaledShape(inputShape, this.config.kernel, this.config.outputSize);
  }
}
tf.serialization.registerClass(PatchDeconvolution);

/** [B, H, W, in] → [B, factor·H, factor·W, out]; null stays. */
function scaledShape([batch = null, height = null, width = null]: Shape, factor: number, outputSize: number): Shape {
  const scaled = (side: number | null): number | null => (side === null ? null : Math.round(side * factor));
  return [batch, scaled(height), scaled(width), outputSize];
}
