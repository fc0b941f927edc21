/**
 * F_V1: CLIP's vision transformer (Radford et al. 2021) as transformers' `CLIPVisionModel` computes it. GSVA takes the
 * hidden states of layer `selectLayer` without the class token (LLaVA's `CLIPVisionTower.feature_select`).
 */
import type { ClipConfig } from '../../config.js';
import { UserError } from '../../errors.js';
import * as fused from '../../engine/fused-ops.js';
import { atOnce, inTurnSteps, type Steps } from '../../engine/steps.js';
import * as tf from '../../engine/tf.js';
import { Attention } from '../../nn/attention.js';
import { ConfiguredLayer, type Shape } from '../../nn/composite-layer.js';
import { PatchConvolution } from '../../nn/convolution.js';
import { Embedding, LayerNorm, Linear } from '../../nn/layers.js';

function activation({ hiddenAct }: ClipConfig): (x: tf.Tensor) => tf.Tensor {
  const known: Readonly<Record<string, typeof fused.gelu<tf.Tensor>>> = {
    quick_gelu: fused.quickGelu,
    gelu: fused.gelu,
  };
  const found = known[hiddenAct];
  if (found !== undefined) return found;
  throw new UserError(`clip.hidden_act "${hiddenAct}" is not known; known are ${Object.keys(known).join(', ')}`);
}

function attention({ hiddenSize: size, numAttentionHeads: heads }: ClipConfig): Attention {
  return new Attention({ size, innerSize: size, heads });
}

function norm({ hiddenSize: size, layerNormEps: epsilon }: ClipConfig): LayerNorm {
  return new LayerNorm({ size, epsilon });
}

/** Pre-norm transformer layer: x + attention(norm1(x)), then + fc2(act(fc1(norm2(x)))). */
export class ClipEncoderLayer extends ConfiguredLayer<ClipConfig> {
  static readonly className = 'GsvaClipEncoderLayer';
  private readonly attention = this.track('self_attn', attention(this.config));
  private readonly norm1 = this.track('layer_norm1', norm(this.config));
  private readonly fc1 = this.track('mlp.fc1', Linear.of(this.config.hiddenSize, this.config.intermediateSize));
  private readonly fc2 = this.track('mlp.fc2', Linear.of(this.config.intermediateSize, this.config.hiddenSize));
  private readonly norm2 = this.track('layer_norm2', norm(this.config));
  private readonly activation = activation(this.config);

  /** x [B, T, D] → [B, T, D]. */
  forward(x: tf.Tensor): tf.Tensor {
    const normed = this.norm1.forward(x);
    const middle = tf.add(x, this.attention.forward(normed, normed, normed));
    return tf.add(middle, this.fc2.forward(this.activation(this.fc1.forward(this.norm2.forward(middle)))));
  }
}
tf.serialization.registerClass(ClipEncoderLayer);

export class ClipVisionTower extends ConfiguredLayer<ClipConfig> {
  static readonly className = 'GsvaClipVisionTower';
  private readonly classEmbedding: () => tf.Tensor1D;
  private readonly patchEmbedding: PatchConvolution;
  private readonly positionEmbedding: Embedding;
  private readonly preNorm: LayerNorm;
  private readonly layers: readonly ClipEncoderLayer[];

  constructor(config: ClipConfig) {
    super(config);
    const { hiddenSize: size, patchSize: kernel, numHiddenLayers } = config;
    this.classEmbedding = this.parameter('embeddings.class_embedding', [size], { deviation: 0.02 });
    const patches = new PatchConvolution({ inputSize: 3, outputSize: size, kernel, useBias: false });
    this.patchEmbedding = this.track('embeddings.patch_embedding', patches);
    const positions = new Embedding({ rows: patchCount(config) + 1, size });
    this.positionEmbedding = this.track('embeddings.position_embedding', positions);
    this.preNorm = this.track('pre_layrnorm', norm(config)); // the published name, misspelt there
    this.layers = Array.from({ length: numHiddenLayers }, (_, index) => {
      return this.track(`encoder.layers.${index}`, new ClipEncoderLayer(config));
    });
    this.track('post_layernorm', norm(config)); // in every checkpoint; GSVA reads an earlier layer
  }

  /** [S, S, 3] */
  get imageShape(): [number, number, number] {
    return [this.config.imageSize, this.config.imageSize, 3];
  }

  /** images [B, S, S, 3], normalised with CLIP's mean and deviation → features [B, (S/patch)², D]. */
  forward(images: tf.Tensor): tf.Tensor3D {
    return atOnce(this.forwardSteps(images));
  }

  *forwardSteps(images: tf.Tensor): Steps<tf.Tensor3D> {
    const { numHiddenLayers, selectLayer } = this.config;
    // hidden_states[0] is the embedding; a negative index counts from the last layer's output.
    const depth = selectLayer < 0 ? numHiddenLayers + 1 + selectLayer : selectLayer;
    const embedded = tf.tidy(() => this.embed(images));
    let hidden = embedded;
    try {
      hidden = yield* inTurnSteps(embedded, [this.preNorm, ...this.layers.slice(0, depth)]);
      return tf.slice(hidden, [0, 1, 0], [-1, -1, -1]) as tf.Tensor3D;
    } finally {
      tf.dispose([embedded, hidden]);
    }
  }

  /** The class token and the patches with their positions, [B, 1 + (S/patch)², D]. */
  private embed(images: tf.Tensor): tf.Tensor {
    const { hiddenSize } = this.config;
    const [batch] = images.shape as [number];
    // [B, S/p, S/p, D] → [B, N, D], row by row
    const patches = tf.reshape(this.patchEmbedding.forward(images), [batch, patchCount(this.config), hiddenSize]);
    const classToken = tf.tile(tf.reshape(this.classEmbedding(), [1, 1, hiddenSize]), [batch, 1, 1]);
    return tf.add(tf.concat([classToken, patches], 1), tf.expandDims(this.positionEmbedding.table, 0));
  }

  override computeOutputShape(inputShape: Shape): Shape {
    return [inputShape[0] ?? null, patchCount(this.config), this.config.hiddenSize];
  }
}
tf.serialization.registerClass(ClipVisionTower);

/** Patches of one image: the vision tokens of the LLM. */
export function patchCount({ imageSize, patchSize }: ClipConfig): number {
  return (imageSize / patchSize) ** 2;
}
