/**
 * The three convolutions that GSVA's parts need, each as one matrix product. The WASM engine has no gradient for
 * Conv2D's filter, and a product of large matrices is where every engine is fastest.
 */
import * as fused from '../engine/fused-ops.js';
import * as tf from '../engine/tf.js';
import { CompositeLayer, type Shape, single } from './composite-layer.js';

export interface ConvolutionConfig {
  readonly inputSize: number;
  readonly outputSize: number;
  /** Side of the square kernel in pixels. */
  readonly kernel: number;
  readonly useBias?: boolean;
}

/** Conv2d with stride = kernel and no overlap: patch embeddings (ViT) and SAM's mask downscaling. */
export class PatchConvolution extends CompositeLayer {
  static readonly className = 'GsvaPatchConvolution';

  constructor(private readonly config: ConvolutionConfig) {
    super();
    declareKernel(this.parameter.bind(this), config);
  }

  /** x [B, H, W, in] → [B, H/k, W/k, out]. */
  forward(x: tf.Tensor): tf.Tensor4D {
    const { kernel: k, outputSize } = this.config;
    const [batch, height, width, channels] = x.shape as [number, number, number, number];
    const rows = height / k;
    const columns = width / k;
    // [B, H, W, C] → [B·rows, k, columns, k·C] → [B·rows, columns, k, k·C] → [B·rows·columns, k·k·C]
    const strips = tf.transpose(tf.reshape(x, [batch * rows, k, columns, k * channels]), [0, 2, 1, 3]);
    const patches = tf.reshape(strips, [batch * rows * columns, k * k * channels]);
    const bias = this.config.useBias === false ? null : this.value<tf.Rank.R1>('bias');
    const y = fused.linear(patches, this.value<tf.Rank.R2>('weight'), bias);
    return tf.reshape(y, [batch, rows, columns, outputSize]);
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => this.forward(single(inputs)));
  }

  override computeOutputShape(inputShape: Shape): Shape {
    const [batch = null, height = null, width = null] = inputShape;
    const { kernel, outputSize } = this.config;
    return [batch, height === null ? null : height / kernel, width === null ? null : width / kernel, outputSize];
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), ...this.config };
  }
}
tf.serialization.registerClass(PatchConvolution);

/** Conv2d with stride 1 and zero padding that keeps the size (1×1 and 3×3 in SAM's neck). */
export class SameConvolution extends CompositeLayer {
  static readonly className = 'GsvaSameConvolution';

  constructor(private readonly config: ConvolutionConfig) {
    super();
    declareKernel(this.parameter.bind(this), config);
  }

  /** x [B, H, W, in] → [B, H, W, out]. */
  forward(x: tf.Tensor): tf.Tensor {
    const { kernel: k } = this.config;
    const [, height, width] = x.shape as [number, number, number, number];
    const bias = this.config.useBias === false ? null : this.value<tf.Rank.R1>('bias');
    const weight = this.value<tf.Rank.R2>('weight');
    if (k === 1) return fused.linear(x, weight, bias);
    const margin = (k - 1) / 2;
    const padded = tf.pad(x, [
      [0, 0],
      [margin, margin],
      [margin, margin],
      [0, 0],
    ]);
    const shifts: tf.Tensor[] = [];
    for (let dy = 0; dy < k; dy++) {
      for (let dx = 0; dx < k; dx++) shifts.push(tf.slice(padded, [0, dy, dx, 0], [-1, height, width, -1]));
    }
    return fused.linear(tf.concat(shifts, 3), weight, bias);
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => this.forward(single(inputs)));
  }

  override computeOutputShape(inputShape: Shape): Shape {
    return [...inputShape.slice(0, -1), this.config.outputSize];
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), ...this.config };
  }
}
tf.serialization.registerClass(SameConvolution);

/** ConvTranspose2d with stride = kernel: every pixel becomes a k×k block (SAM's mask upscaling). */
export class PatchDeconvolution extends CompositeLayer {
  static readonly className = 'GsvaPatchDeconvolution';

  constructor(private readonly config: ConvolutionConfig) {
    super();
    const { inputSize, outputSize, kernel } = config;
    const layout = { kind: 'conv-transpose', kernel: [kernel, kernel] } as const;
    const deviation = 1 / Math.sqrt(inputSize);
    this.parameter('weight', [inputSize, kernel * kernel * outputSize], { deviation }, layout);
    this.parameter('bias', [outputSize], { constant: 0 });
  }

  /** x [B, H, W, in] → [B, k·H, k·W, out]. */
  forward(x: tf.Tensor): tf.Tensor4D {
    const { kernel: k, outputSize } = this.config;
    const [batch, height, width] = x.shape as [number, number, number, number];
    const bias = tf.tile(this.value<tf.Rank.R1>('bias'), [k * k]);
    const y = fused.linear(x, this.value<tf.Rank.R2>('weight'), bias);
    // [B, H, W, k·k·out] → [B·H, W, k, k·out] → [B·H, k, W, k·out] → [B, k·H, k·W, out]
    const blocks = tf.transpose(tf.reshape(y, [batch * height, width, k, k * outputSize]), [0, 2, 1, 3]);
    return tf.reshape(blocks, [batch, k * height, k * width, outputSize]);
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => this.forward(single(inputs)));
  }

  override computeOutputShape(inputShape: Shape): Shape {
    const [batch = null, height = null, width = null] = inputShape;
    const { kernel, outputSize } = this.config;
    return [batch, height === null ? null : height * kernel, width === null ? null : width * kernel, outputSize];
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), ...this.config };
  }
}
tf.serialization.registerClass(PatchDeconvolution);

function declareKernel(parameter: CompositeLayer['parameter'], config: ConvolutionConfig): void {
  const { inputSize, outputSize, kernel, useBias = true } = config;
  const fanIn = kernel * kernel * inputSize;
  const layout = { kind: 'conv', kernel: [kernel, kernel] } as const;
  parameter('weight', [fanIn, outputSize], { deviation: 1 / Math.sqrt(fanIn) }, layout);
  if (useBias) parameter('bias', [outputSize], { constant: 0 });
}
