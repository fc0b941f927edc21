/**
 * SAM's prompt encoder (segment_anything/modeling/prompt_encoder.py): points and boxes become sparse embeddings, a mask
 * becomes a dense one. GSVA prompts with text: ψ's query is the only sparse embedding, `no_mask_embed` the dense one.
 */
import type { SamConfig } from '../../config.js';
import * as fused from '../../engine/fused-ops.js';
import * as tf from '../../engine/tf.js';
import { ConfiguredLayer, single } from '../../nn/composite-layer.js';
import { PatchConvolution, SameConvolution } from '../../nn/convolution.js';
import { Embedding, LayerNorm } from '../../nn/layers.js';

export interface PointPrompts {
  /** [Q, P, 2] as (x, y) pixels of the encoder's square input. */
  readonly coordinates: tf.Tensor3D;
  /** [Q, P] int32: 1 foreground, 0 background, 2 box top-left, 3 box bottom-right, -1 padding. */
  readonly labels: tf.Tensor2D;
}

export class PromptEncoder extends ConfiguredLayer<SamConfig> {
  static readonly className = 'GsvaPromptEncoder';
  private readonly gaussian: () => tf.Tensor2D;
  /** One row per label: -1 (no position at all), then 0 … 3. */
  private readonly labelEmbeddings: readonly Embedding[];
  private readonly noMask: Embedding;
  /** Halves a mask's sides: convolution and norm. */
  private readonly halving: readonly (readonly [PatchConvolution, LayerNorm])[];
  private readonly maskProjection: SameConvolution;

  constructor(config: SamConfig) {
    const { promptEmbedDim: size, maskInChans: channels } = config;
    super(config, size);
    const learned = (name: string): Embedding => this.track(name, new Embedding({ rows: 1, size }));
    const half = (index: number, inputSize: number, outputSize: number): readonly [PatchConvolution, LayerNorm] => [
      this.track(`mask_downscaling.${index}`, new PatchConvolution({ inputSize, outputSize, kernel: 2 })),
      this.track(`mask_downscaling.${index + 1}`, new LayerNorm({ size: outputSize, epsilon: 1e-6 })),
    ];
    this.gaussian = this.parameter('pe_layer.positional_encoding_gaussian_matrix', [2, size / 2], { deviation: 1 });
    const points = [0, 1, 2, 3].map((index) => learned(`point_embeddings.${index}`));
    this.labelEmbeddings = [learned('not_a_point_embed'), ...points];
    this.halving = [half(0, 1, channels / 4), half(3, channels / 4, channels)];
    const projection = new SameConvolution({ inputSize: channels, outputSize: size, kernel: 1 });
    this.maskProjection = this.track('mask_downscaling.6', projection);
    this.noMask = learned('no_mask_embed');
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
    const halved = (x: tf.Tensor, [convolution, norm]: readonly [PatchConvolution, LayerNorm]): tf.Tensor =>
      fused.gelu(norm.forward(convolution.forward(x)));
    return this.maskProjection.forward(this.halving.reduce(halved, masks)) as tf.Tensor4D;
  }

  /** Points and box corners → sparse embeddings [Q, P, prompt]. Without a box SAM appends one padding point itself. */
  forward({ coordinates, labels }: PointPrompts): tf.Tensor3D {
    const [queries, points] = coordinates.shape;
    const normalised = tf.div(tf.add(coordinates, 0.5), this.config.imageSize); // + 0.5: the centre of the pixel
    const positions = this.encodePositions(tf.reshape(normalised, [queries * points, 2]));
    const flat = tf.reshape(labels, [queries * points, 1]);
    const isPoint = tf.cast(tf.greaterEqual(flat, 0), 'float32');
    const table = this.labelEmbeddings.map((embedding) => embedding.table);
    const kinds = tf.gather(tf.concat(table, 0), tf.add(tf.reshape(labels, [-1]), tf.scalar(1, 'int32')));
    return tf.reshape(tf.add(tf.mul(positions, isPoint), kinds), [queries, points, -1]);
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => {
      const coordinates = single(inputs) as tf.Tensor3D;
      const [queries, points] = coordinates.shape;
      return this.forward({ coordinates, labels: tf.ones([queries, points], 'int32') });
    });
  }

  /** Positions [n, 2] in [0, 1] as (x, y) → random Fourier features [n, prompt] (`PositionEmbeddingRandom`). */
  private encodePositions(positions: tf.Tensor2D): tf.Tensor2D {
    const angles = tf.mul(tf.matMul(tf.sub(tf.mul(positions, 2), 1), this.gaussian()), 2 * Math.PI);
    return tf.concat([tf.sin(angles), tf.cos(angles)], 1) as tf.Tensor2D;
  }
}
tf.serialization.registerClass(PromptEncoder);
