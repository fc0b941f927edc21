/**
 * SAM's prompt encoder (segment_anything/modeling/prompt_encoder.py): points and boxes become sparse embeddings, a mask
 * becomes a dense one. GSVA prompts with text: ψ's query is the only sparse embedding, `no_mask_embed` the dense one.
 */
import type { SamConfig } from '../../config.js';
import * as fused from '../../engine/fused-ops.js';
import * as tf from '../../engine/tf.js';
import { ConfiguredLayer, type Shape, single } from '../../nn/composite-layer.js';
import { PatchConvolution, SameConvolution } from '../../nn/convolution.js';
import { Embedding } from '../../nn/embedding.js';
import { LayerNorm } from '../../nn/norms.js';

export interface PointPrompts {
  /** [Q, P, 2] as (x, y) pixels of the encoder's square input. */
  readonly coordinates: tf.Tensor3D;
  /** [Q, P] int32: 1 foreground, 0 background, 2 box top-left, 3 box bottom-right, -1 padding. */
  readonly labels: tf.Tensor2D;
}

const NORM_EPSILON = 1e-6;

export class PromptEncoder extends ConfiguredLayer<SamConfig> {
  static readonly className = 'GsvaPromptEncoder';
  private readonly pointEmbeddings: readonly Embedding[];
  private readonly notAPoint: Embedding;
  private readonly noMask: Embedding;
  private readonly maskDownscaling: readonly [
    PatchConvolution,
    LayerNorm,
    PatchConvolution,
    LayerNorm,
    SameConvolution,
  ];

  constructor(config: SamConfig) {
    super(config);
    const { promptEmbedDim: size, maskInChans } = config;
    this.parameter('pe_layer.positional_encoding_gaussian_matrix', [2, size / 2], { deviation: 1 });
    this.pointEmbeddings = [0, 1, 2, 3].map((index) => {
      return this.track(`point_embeddings.${index}`, new Embedding({ rows: 1, size }));
    });
    this.notAPoint = this.track('not_a_point_embed', new Embedding({ rows: 1, size }));
    const quarter = maskInChans / 4;
    this.maskDownscaling = [
      this.track('mask_downscaling.0', new PatchConvolution({ inputSize: 1, outputSize: quarter, kernel: 2 })),
      this.track('mask_downscaling.1', new LayerNorm({ size: quarter, epsilon: NORM_EPSILON })),
      this.track(
        'mask_downscaling.3',
        new PatchConvolution({ inputSize: quarter, outputSize: maskInChans, kernel: 2 }),
      ),
      this.track('mask_downscaling.4', new LayerNorm({ size: maskInChans, epsilon: NORM_EPSILON })),
      this.track('mask_downscaling.6', new SameConvolution({ inputSize: maskInChans, outputSize: size, kernel: 1 })),
    ];
    this.noMask = this.track('no_mask_embed', new Embedding({ rows: 1, size }));
  }

  /** Positional encoding of the image embedding's grid, [1, H, W, prompt] (`get_dense_pe`). */
  densePositions(): tf.Tensor4D {
    const grid = this.config.imageSize / this.config.patchSize;
    const centres = Float32Array.from({ length: grid * grid * 2 }, (_, i) => {
      const cell = Math.floor(i / 2);
      return ((i % 2 === 0 ? cell % grid : Math.floor(cell / grid)) + 0.5) / grid;
    });
    return tf.reshape(this.encodePositions(tf.tensor2d(centres, [grid * grid, 2])), [1, grid, grid, -1]);
  }

  /** The dense embedding of "no mask given", [1, 1, 1, prompt]: added to every cell of the image embedding. */
  noMaskEmbedding(): tf.Tensor4D {
    return tf.reshape(this.noMask.table, [1, 1, 1, -1]);
  }

  /** Low-resolution mask logits [Q, 4·H, 4·W, 1] → dense embeddings [Q, H, W, prompt]. */
  denseMask(masks: tf.Tensor4D): tf.Tensor4D {
    const [first, norm1, second, norm2, last] = this.maskDownscaling;
    const half = fused.gelu(norm1.forward(first.forward(masks)));
    const quarter = fused.gelu(norm2.forward(second.forward(half)));
    return last.forward(quarter) as tf.Tensor4D;
  }

  /** Points and box corners → sparse embeddings [Q, P, prompt]. Without a box SAM appends one padding point itself. */
  forward({ coordinates, labels }: PointPrompts): tf.Tensor3D {
    const [queries, points] = coordinates.shape;
    const normalised = tf.div(tf.add(coordinates, 0.5), this.config.imageSize); // + 0.5: the centre of the pixel
    const positions = this.encodePositions(tf.reshape(normalised, [queries * points, 2]));
    const flat = tf.reshape(labels, [queries * points, 1]);
    const isPoint = tf.cast(tf.greaterEqual(flat, 0), 'float32');
    // One row of the table per label: -1 (no position at all), then 0 … 3.
    const table = tf.concat([this.notAPoint.table, ...this.pointEmbeddings.map((embedding) => embedding.table)], 0);
    const kinds = tf.gather(table, tf.add(tf.reshape(labels, [queries * points]), tf.scalar(1, 'int32')));
    return tf.reshape(tf.add(tf.mul(positions, isPoint), kinds), [queries, points, -1]);
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => {
      const coordinates = single(inputs) as tf.Tensor3D;
      const [queries, points] = coordinates.shape;
      return this.forward({ coordinates, labels: tf.ones([queries, points], 'int32') });
    });
  }

  override computeOutputShape(inputShape: Shape): Shape {
    return [...inputShape.slice(0, -1), this.config.promptEmbedDim];
  }

  /** Positions [n, 2] in [0, 1] as (x, y) → random Fourier features [n, prompt] (`PositionEmbeddingRandom`). */
  private encodePositions(positions: tf.Tensor2D): tf.Tensor2D {
    const gaussian = this.value<tf.Rank.R2>('pe_layer.positional_encoding_gaussian_matrix');
    const angles = tf.mul(tf.matMul(tf.sub(tf.mul(positions, 2), 1), gaussian), 2 * Math.PI);
    return tf.concat([tf.sin(angles), tf.cos(angles)], 1) as tf.Tensor2D;
  }
}
tf.serialization.registerClass(PromptEncoder);
