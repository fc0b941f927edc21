/**
 * F_mask: SAM's mask decoder (segment_anything/modeling/mask_decoder.py). Every query is decoded on its own: its tokens
 * are [iou, 4 × mask, prompts]; the first mask token's hypernetwork makes the mask (multimask output is off in GSVA).
 */
import type { SamConfig } from '../../config.js';
import * as fused from '../../engine/fused-ops.js';
import * as tf from '../../engine/tf.js';
import { ConfiguredLayer, type Shape } from '../../nn/composite-layer.js';
import { PatchDeconvolution } from '../../nn/convolution.js';
import { Embedding, LayerNorm, Mlp } from '../../nn/layers.js';
import { TwoWayTransformer } from './two-way-transformer.js';

const MASK_TOKENS = 4;
const NORM_EPSILON = 1e-6;

export interface MaskDecoderInput {
  /** [Q, H, W, prompt]: for every query the embedding of its image, dense prompt embedding added. */
  readonly imageEmbeddings: tf.Tensor4D;
  /** [1, H, W, prompt] */
  readonly densePositions: tf.Tensor4D;
  /** [Q, P, prompt]: ψ's query (P = 1), or points and boxes. */
  readonly sparsePrompts: tf.Tensor3D;
}

export interface MaskDecoderOutput {
  /** Mask logits [Q, 4·H, 4·W]. */
  readonly lowResMasks: tf.Tensor3D;
  /** Predicted IoU of the mask [Q, 1]. */
  readonly iou: tf.Tensor2D;
}

export class MaskDecoder extends ConfiguredLayer<SamConfig> {
  static readonly className = 'GsvaMaskDecoder';
  private readonly transformer: TwoWayTransformer;
  private readonly iouToken: Embedding;
  private readonly maskTokens: Embedding;
  private readonly upscaling: readonly [PatchDeconvolution, LayerNorm, PatchDeconvolution];
  /** Hypernetwork of the first mask token; the others are in every checkpoint, and unused without multimask output. */
  private readonly hypernetwork: Mlp;
  private readonly iouHead: Mlp;

  constructor(config: SamConfig) {
    super(config);
    const { promptEmbedDim: size, decoderDepth: depth, decoderHeads: heads, decoderMlpDim: mlpSize } = config;
    this.transformer = this.track('transformer', new TwoWayTransformer({ depth, size, heads, mlpSize }));
    this.iouToken = this.track('iou_token', new Embedding({ rows: 1, size }));
    this.maskTokens = this.track('mask_tokens', new Embedding({ rows: MASK_TOKENS, size }));
    const enlarge = (name: string, from: number, to: number): PatchDeconvolution =>
      this.track(name, new PatchDeconvolution({ inputSize: from, outputSize: to, kernel: 2 }));
    this.upscaling = [
      enlarge('output_upscaling.0', size, size / 4),
      this.track('output_upscaling.1', new LayerNorm({ size: size / 4, epsilon: NORM_EPSILON })),
      enlarge('output_upscaling.3', size / 4, size / 8),
    ];
    [this.hypernetwork] = Array.from({ length: MASK_TOKENS }, (_, index) => {
      return this.track(`output_hypernetworks_mlps.${index}`, new Mlp({ sizes: [size, size, size, size / 8] }));
    }) as [Mlp];
    const hidden = config.iouHeadHiddenDim;
    this.iouHead = this.track('iou_prediction_head', new Mlp({ sizes: [size, hidden, hidden, MASK_TOKENS] }));
  }

  forward({ imageEmbeddings, densePositions, sparsePrompts }: MaskDecoderInput): MaskDecoderOutput {
    const [queries, height, width, size] = imageEmbeddings.shape;
    const learned = tf.expandDims(tf.concat([this.iouToken.table, this.maskTokens.table], 0), 0);
    const tokens = tf.concat([tf.tile(learned, [queries, 1, 1]), sparsePrompts], 1);
    // [Q, H, W, D] → [Q, H·W, D]
    const cells = tf.reshape(imageEmbeddings, [queries, height * width, size]);
    const positions = tf.reshape(densePositions, [1, height * width, size]);
    const decoded = this.transformer.forward(tokens, cells, positions);

    const tokenAt = (index: number): tf.Tensor2D =>
      tf.reshape(tf.slice(decoded.tokens, [0, index, 0], [-1, 1, -1]), [queries, size]);
    const [enlarge, norm, enlargeAgain] = this.upscaling;
    const twice = enlarge.forward(tf.reshape(decoded.cells, [queries, height, width, size]));
    // [Q, 4·H, 4·W, D/8]
    const upscaled = fused.gelu(enlargeAgain.forward(fused.gelu(norm.forward(twice))));
    const kernel = tf.reshape(this.hypernetwork.forward(tokenAt(1)), [queries, size / 8, 1]);
    // [Q, 16·H·W, D/8] · [Q, D/8, 1] → [Q, 4·H, 4·W]
    const masks = tf.matMul(tf.reshape(upscaled, [queries, 16 * height * width, size / 8]), kernel);
    const iou = tf.slice(this.iouHead.forward(tokenAt(0)), [0, 0], [-1, 1]) as tf.Tensor2D;
    return { lowResMasks: tf.reshape(masks, [queries, 4 * height, 4 * width]), iou };
  }

  override call(inputs: tf.Tensor[]): tf.Tensor[] {
    return tf.tidy(() => {
      const [imageEmbeddings, densePositions, sparsePrompts] = inputs as [tf.Tensor4D, tf.Tensor4D, tf.Tensor3D];
      const { lowResMasks, iou } = this.forward({ imageEmbeddings, densePositions, sparsePrompts });
      return [lowResMasks, iou];
    });
  }

  override computeOutputShape([[batch = null, ...sides] = []]: Shape[]): Shape[] {
    const masks = sides.slice(0, 2).map((side) => (side === null ? null : 4 * side));
    const iou = [batch, 1];
    return [[batch, ...masks], iou];
  }
}
tf.serialization.registerClass(MaskDecoder);
