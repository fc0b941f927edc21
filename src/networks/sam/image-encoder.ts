/**
 * F_V2: SAM's image encoder (Kirillov et al. 2023; segment_anything/modeling/image_encoder.py): a ViT whose layers
 * attend inside windows, except a few global ones, with decomposed relative positions; then a convolutional neck.
 */
import type { SamConfig } from '../../config.js';
import * as fused from '../../engine/fused-ops.js';
import { atOnce, inTurnSteps, type Steps } from '../../engine/steps.js';
import * as tf from '../../engine/tf.js';
import { attend, mergeHeads, splitHeads } from '../../nn/attention.js';
import { ConfiguredLayer, type Shape } from '../../nn/composite-layer.js';
import { PatchConvolution, SameConvolution } from '../../nn/convolution.js';
import { LayerNorm, Linear } from '../../nn/layers.js';
import { keyPlaces, partitionWindows, relativeScores, unpartitionWindows } from './windows.js';

const EPSILON = 1e-6;

interface BlockConfig {
  readonly size: number;
  readonly heads: number;
  /** Side of a window in tokens; 0 for global attention. */
  readonly windowSize: number;
  /** Side of the whole grid in tokens. */
  readonly gridSize: number;
}

/** Self-attention on a [B, H, W, D] grid with decomposed relative positions. */
export class SamAttention extends ConfiguredLayer<BlockConfig> {
  static readonly className = 'GsvaSamAttention';
  private readonly rowPositions: () => tf.Tensor2D;
  private readonly columnPositions: () => tf.Tensor2D;
  private readonly qkv = this.track('qkv', Linear.of(this.config.size, 3 * this.config.size));
  private readonly projection = this.track('proj', Linear.of(this.config.size, this.config.size));

  constructor(config: BlockConfig) {
    super(config);
    const side = config.windowSize === 0 ? config.gridSize : config.windowSize;
    const headSize = config.size / config.heads;
    this.rowPositions = this.parameter('rel_pos_h', [2 * side - 1, headSize], { constant: 0 });
    this.columnPositions = this.parameter('rel_pos_w', [2 * side - 1, headSize], { constant: 0 });
  }

  /**
   * x [B, H, W, D] → [B, H, W, D]. The positions' part of a score, q·Rh[qy - ky] + q·Rw[qx - kx], depends on the key by
   * its row and column alone. The product of queries and keys computes it too: the scaled query is extended by its H +
   * W possible values, the key by a 1 at its row and a 1 at its column. That saves two passes over all scores, the
   * largest tensor here.
   */
  forward(x: tf.Tensor): tf.Tensor {
    const { heads, size } = this.config;
    const [batch, height, width] = x.shape as [number, number, number];
    const tokens = height * width;
    const headSize = size / heads;
    const n = batch * heads;
    const qkv = tf.reshape(this.qkv.forward(x), [batch, tokens, 3 * size]);
    // [B, T, 3·D] → three of [B, h, T, d] → [B·h, T, d]
    const parts = tf.split(qkv, 3, 2).map((part) => tf.reshape(splitHeads(part, heads), [n, tokens, headSize]));
    const [q, k, v] = parts as [tf.Tensor3D, tf.Tensor3D, tf.Tensor3D];
    const grid: tf.Tensor4D = tf.reshape(q, [n, height, width, headSize]);
    // rows: [n, H, W, d] → [n, W, H, d] → [n, W, H, H] → [n, H, W, H]
    const byRow = relativeScores(tf.transpose(grid, [0, 2, 1, 3]), this.rowPositions());
    const rows: tf.Tensor3D = tf.reshape(tf.transpose(byRow, [0, 2, 1, 3]), [n, tokens, height]);
    const columns: tf.Tensor3D = tf.reshape(relativeScores(grid, this.columnPositions()), [n, tokens, width]);
    const scaled: tf.Tensor3D = tf.mul(q, 1 / Math.sqrt(headSize));
    const queries = tf.concat3d([scaled, rows, columns], 2);
    const mixed = attend(queries, tf.concat3d([k, keyPlaces(n, height, width)], 2), v);
    // [B·h, T, d] → [B, T, h·d] → [B, H, W, D]
    const merged = mergeHeads(tf.reshape(mixed, [batch, heads, tokens, headSize]));
    return this.projection.forward(tf.reshape(merged, [batch, height, width, size]));
  }
}
tf.serialization.registerClass(SamAttention);

/** Pre-norm transformer block; with a window size the grid is cut into windows (zero-padded after the norm). */
export class SamBlock extends ConfiguredLayer<BlockConfig> {
  static readonly className = 'GsvaSamBlock';
  private readonly norm1 = this.track('norm1', new LayerNorm({ size: this.config.size, epsilon: EPSILON }));
  private readonly attention = this.track('attn', new SamAttention(this.config));
  private readonly norm2 = this.track('norm2', new LayerNorm({ size: this.config.size, epsilon: EPSILON }));
  private readonly lin1 = this.track('mlp.lin1', Linear.of(this.config.size, 4 * this.config.size));
  private readonly lin2 = this.track('mlp.lin2', Linear.of(4 * this.config.size, this.config.size));

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
}
tf.serialization.registerClass(SamBlock);

export class SamImageEncoder extends ConfiguredLayer<SamConfig> {
  static readonly className = 'GsvaSamImageEncoder';
  private readonly patchEmbedding: PatchConvolution;
  private readonly positions: () => tf.Tensor;
  /** Blocks, then the neck. */
  private readonly layers: readonly (SamBlock | SameConvolution | LayerNorm)[];

  constructor(config: SamConfig) {
    super(config);
    const { imageSize, patchSize, embedDim, depth, numHeads, globalAttnIndexes, windowSize, promptEmbedDim } = config;
    const gridSize = imageSize / patchSize;
    this.patchEmbedding = this.track(
      'patch_embed.proj',
      new PatchConvolution({ inputSize: 3, outputSize: embedDim, kernel: patchSize }),
    );
    this.positions = this.parameter('pos_embed', [1, gridSize, gridSize, embedDim], { deviation: 0.02 });
    const blocks = Array.from({ length: depth }, (_, index) => {
      const side = globalAttnIndexes.includes(index) ? 0 : windowSize;
      const block = { size: embedDim, heads: numHeads, windowSize: side, gridSize };
      return this.track(`blocks.${index}`, new SamBlock(block));
    });
    const norm = { size: promptEmbedDim, epsilon: EPSILON };
    const reduce = { inputSize: embedDim, outputSize: promptEmbedDim, kernel: 1, useBias: false };
    const blend = { inputSize: promptEmbedDim, outputSize: promptEmbedDim, kernel: 3, useBias: false };
    this.layers = [
      ...blocks,
      this.track('neck.0', new SameConvolution(reduce)),
      this.track('neck.1', new LayerNorm(norm)),
      this.track('neck.2', new SameConvolution(blend)),
      this.track('neck.3', new LayerNorm(norm)),
    ];
  }

  /** [S, S, 3] */
  get imageShape(): [number, number, number] {
    return [this.config.imageSize, this.config.imageSize, 3];
  }

  /** images [B, S, S, 3], normalised and zero-padded → image embeddings [B, S/patch, S/patch, prompt]. */
  forward(images: tf.Tensor): tf.Tensor4D {
    return atOnce(this.forwardSteps(images));
  }

  *forwardSteps(images: tf.Tensor): Steps<tf.Tensor4D> {
    const embedded = tf.tidy(() => tf.add(this.patchEmbedding.forward(images), this.positions()));
    try {
      return (yield* inTurnSteps(embedded, this.layers)) as tf.Tensor4D;
    } finally {
      embedded.dispose();
    }
  }

  override computeOutputShape(inputShape: Shape): Shape {
    const grid = this.config.imageSize / this.config.patchSize;
    return [inputShape[0] ?? null, grid, grid, this.config.promptEmbedDim];
  }
}
tf.serialization.registerClass(SamImageEncoder);
