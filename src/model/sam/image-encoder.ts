/**
 * F_V2: SAM's image encoder (Kirillov et al. 2023; segment_anything/modeling/image_encoder.py): a ViT whose layers
 * attend inside windows, except a few global ones, with decomposed relative positions; then a convolutional neck.
 */
import type { SamConfig } from '../../config.js';
import * as fused from '../../engine/fused-ops.js';
import * as tf from '../../engine/tf.js';
import { splitHeads } from '../../nn/attention-ops.js';
import { CompositeLayer, type Shape, single } from '../../nn/composite-layer.js';
import { PatchConvolution, SameConvolution } from '../../nn/convolution.js';
import { Linear } from '../../nn/linear.js';
import { LayerNorm } from '../../nn/norms.js';
import { partitionWindows, relativePositionIndex, unpartitionWindows } from './windows.js';

const BLOCK_EPSILON = 1e-6;

interface BlockConfig {
  readonly size: number;
  readonly heads: number;
  /** Side of a window in tokens; 0 for global attention. */
  readonly windowSize: number;
  /** Side of the whole grid in tokens. */
  readonly gridSize: number;
}

/** Self-attention on a [B, H, W, D] grid with decomposed relative positions. */
export class SamAttention extends CompositeLayer {
  static readonly className = 'GsvaSamAttention';
  private readonly qkv: Linear;
  private readonly projection: Linear;

  constructor(private readonly config: BlockConfig) {
    super();
    const { size, heads } = config;
    const side = config.windowSize === 0 ? config.gridSize : config.windowSize;
    this.parameter('rel_pos_h', [2 * side - 1, size / heads], { constant: 0 });
    this.parameter('rel_pos_w', [2 * side - 1, size / heads], { constant: 0 });
    this.qkv = this.track('qkv', new Linear({ inputSize: size, outputSize: 3 * size }));
    this.projection = this.track('proj', new Linear({ inputSize: size, outputSize: size }));
  }

  /** x [B, H, W, D] → [B, H, W, D]. */
  forward(x: tf.Tensor): tf.Tensor {
    const { heads, size } = this.config;
    const [batch, height, width] = x.shape as [number, number, number];
    const tokens = height * width;
    const headSize = size / heads;
    const qkv = tf.reshape(this.qkv.forward(x), [batch, tokens, 3 * size]);
    // [B, T, 3·D] → three of [B, h, T, d]
    const [q, k, v] = tf.split(qkv, 3, 2).map((part) => splitHeads(part, heads)) as [
      tf.Tensor4D,
      tf.Tensor4D,
      tf.Tensor4D,
    ];
    const scores = tf.mul(tf.matMul(q, k, false, true), 1 / Math.sqrt(headSize));
    const biased = tf.add(
      tf.reshape(scores, [batch * heads, tokens, height, width]),
      this.relativeBias(tf.reshape(q, [batch * heads, height, width, headSize])),
    );
    const weights = fused.maskedSoftmax(tf.reshape(biased, [batch, heads, tokens, tokens]), {});
    const mixed = tf.matMul(weights, v);
    // [B, h, T, d] → [B, T, h·d] → [B, H, W, D]
    const merged = tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), [batch, height, width, size]);
    return this.projection.forward(merged);
  }

  /**
   * Decomposed relative positions: bias[q, k] = q·Rh[qy - ky] + q·Rw[qx - kx].
   * @param q queries [n, H, W, d] → [n, H·W, H, W]
   */
  private relativeBias(q: tf.Tensor4D): tf.Tensor4D {
    const [n, height, width, size] = q.shape;
    const byRow = tf.gather(this.value('rel_pos_h'), relativePositionIndex(height)); // [qy·ky, d]
    const byColumn = tf.gather(this.value('rel_pos_w'), relativePositionIndex(width)); // [qx·kx, d]
    // rows: [n, H, W, d] → [H, n·W, d] · [H, d, H] → [H, n·W, H] → [n, H, W, H, 1]
    const qByRow = tf.reshape(tf.transpose(q, [1, 0, 2, 3]), [height, n * width, size]);
    const rowBias = tf.matMul(qByRow, tf.reshape(byRow, [height, height, size]), false, true);
    const rows = tf.transpose(tf.reshape(rowBias, [height, n, width, height]), [1, 0, 2, 3]);
    // columns: [n, H, W, d] → [W, n·H, d] · [W, d, W] → [W, n·H, W] → [n, H, W, 1, W]
    const qByColumn = tf.reshape(tf.transpose(q, [2, 0, 1, 3]), [width, n * height, size]);
    const columnBias = tf.matMul(qByColumn, tf.reshape(byColumn, [width, width, size]), false, true);
    const columns = tf.transpose(tf.reshape(columnBias, [width, n, height, width]), [1, 2, 0, 3]);
    const tokens = height * width;
    return tf.add(tf.reshape(rows, [n, tokens, height, 1]), tf.reshape(columns, [n, tokens, 1, width]));
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => this.forward(single(inputs)));
  }

  override computeOutputShape(inputShape: Shape): Shape {
    return inputShape;
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), ...this.config };
  }
}
tf.serialization.registerClass(SamAttention);

/** Pre-norm transformer block; with a window size the grid is cut into windows (zero-padded after the norm). */
export class SamBlock extends CompositeLayer {
  static readonly className = 'GsvaSamBlock';
  private readonly norm1: LayerNorm;
  private readonly attention: SamAttention;
  private readonly norm2: LayerNorm;
  private readonly lin1: Linear;
  private readonly lin2: Linear;

  constructor(private readonly config: BlockConfig) {
    super();
    const { size } = config;
    this.norm1 = this.track('norm1', new LayerNorm({ size, epsilon: BLOCK_EPSILON }));
    this.attention = this.track('attn', new SamAttention(config));
    this.norm2 = this.track('norm2', new LayerNorm({ size, epsilon: BLOCK_EPSILON }));
    this.lin1 = this.track('mlp.lin1', new Linear({ inputSize: size, outputSize: 4 * size }));
    this.lin2 = this.track('mlp.lin2', new Linear({ inputSize: 4 * size, outputSize: size }));
  }

  /** x [B, H, W, D] → [B, H, W, D]. */
  forward(x: tf.Tensor): tf.Tensor {
    const { windowSize } = this.config;
    const normed = this.norm1.forward(x);
    const attended =
      windowSize === 0
        ? this.attention.forward(normed)
        : unpartitionWindows(this.attention.forward(partitionWindows(normed, windowSize)), windowSize, x.shape);
    const middle = tf.add(x, attended);
    return tf.add(middle, this.lin2.forward(fused.gelu(this.lin1.forward(this.norm2.forward(middle)))));
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => this.forward(single(inputs)));
  }

  override computeOutputShape(inputShape: Shape): Shape {
    return inputShape;
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), ...this.config };
  }
}
tf.serialization.registerClass(SamBlock);

export class SamImageEncoder extends CompositeLayer {
  static readonly className = 'GsvaSamImageEncoder';
  private readonly patchEmbedding: PatchConvolution;
  private readonly blocks: readonly SamBlock[];
  private readonly neck: readonly [SameConvolution, LayerNorm, SameConvolution, LayerNorm];

  constructor(private readonly config: SamConfig) {
    super();
    const { imageSize, patchSize, embedDim, depth, numHeads, globalAttnIndexes, windowSize, promptEmbedDim } = config;
    const gridSize = imageSize / patchSize;
    this.patchEmbedding = this.track(
      'patch_embed.proj',
      new PatchConvolution({ inputSize: 3, outputSize: embedDim, kernel: patchSize }),
    );
    this.parameter('pos_embed', [1, gridSize, gridSize, embedDim], { deviation: 0.02 });
    this.blocks = Array.from({ length: depth }, (_, index) => {
      const window = globalAttnIndexes.includes(index) ? 0 : windowSize;
      return this.track(
        `blocks.${index}`,
        new SamBlock({ size: embedDim, heads: numHeads, windowSize: window, gridSize }),
      );
    });
    const norm = { size: promptEmbedDim, epsilon: BLOCK_EPSILON };
    const reduce = { inputSize: embedDim, outputSize: promptEmbedDim, kernel: 1, useBias: false };
    const blend = { inputSize: promptEmbedDim, outputSize: promptEmbedDim, kernel: 3, useBias: false };
    this.neck = [
      this.track('neck.0', new SameConvolution(reduce)),
      this.track('neck.1', new LayerNorm(norm)),
      this.track('neck.2', new SameConvolution(blend)),
      this.track('neck.3', new LayerNorm(norm)),
    ];
  }

  /** images [B, S, S, 3], normalised and zero-padded → image embeddings [B, S/patch, S/patch, prompt]. */
  forward(images: tf.Tensor): tf.Tensor4D {
    const embedded = tf.add(this.patchEmbedding.forward(images), this.value('pos_embed'));
    const encoded = this.blocks.reduce<tf.Tensor>((x, block) => block.forward(x), embedded);
    const [reduce, norm1, blend, norm2] = this.neck;
    return norm2.forward(blend.forward(norm1.forward(reduce.forward(encoded)))) as tf.Tensor4D;
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => this.forward(single(inputs)));
  }

  override computeOutputShape(inputShape: Shape): Shape {
    const grid = this.config.imageSize / this.config.patchSize;
    return [inputShape[0] ?? null, grid, grid, this.config.promptEmbedDim];
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), ...this.config, globalAttnIndexes: [...this.config.globalAttnIndexes] };
  }
}
tf.serialization.registerClass(SamImageEncoder);
