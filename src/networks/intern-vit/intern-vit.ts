/**
 * InternViT (Chen et al. 2024): the vision transformer of InternVL as its `InternVisionModel` computes it at 300 million
 * parameters: layer norms, one projection to queries, keys and values, LayerScale, exact GELU, no norm at the end. LoRA
 * on chosen projections.
 */
import type { InternVitConfig, LoraConfig } from '../../config.js';
import * as fused from '../../engine/fused-ops.js';
import { atOnce, inTurnSteps, type Steps } from '../../engine/steps.js';
import * as tf from '../../engine/tf.js';
import { attend, mergeHeads, splitHeads } from '../../nn/attention.js';
import { resizeBicubic } from '../../nn/bicubic.js';
import { ConfiguredLayer, single, type Shape } from '../../nn/composite-layer.js';
import { PatchConvolution } from '../../nn/convolution.js';
import { LayerNorm, type Linear } from '../../nn/layers.js';
import type { Stack } from '../../nn/stack-gradients.js';
import { forwardAdapted, linearWithLora } from '../lora.js';

export interface InternVitSizes {
  readonly vision: InternVitConfig;
  /** Its targets are names of this network's: attn.qkv, attn.proj, mlp.fc1, mlp.fc2. */
  readonly lora: LoraConfig;
  /** How pictures are cut: kept features depend on it. */
  readonly tiles?: { readonly most: number; readonly thumbnail: boolean };
}

/** Dropout seeds that a layer takes: one for each of its projections. */
const SEEDS_OF_LAYER = 16;
/** As transformers' `InternVLVisionConfig` starts LayerScale. */
const LAYER_SCALE = 0.1;

function projection(name: string, inputSize: number, outputSize: number, lora: LoraConfig): Linear {
  return linearWithLora({ inputSize, outputSize }, name, lora);
}

export class InternAttention extends ConfiguredLayer<InternVitSizes> {
  static readonly className = 'GsvaInternAttention';
  private readonly size = this.config.vision.hiddenSize;
  private readonly qkv = this.track('qkv', projection('attn.qkv', this.size, 3 * this.size, this.config.lora));
  private readonly projection = this.track('proj', projection('attn.proj', this.size, this.size, this.config.lora));

  /** x [B, T, D] → [B, T, D]. @param dropoutSeed seed of LoRA's dropout, null when not training */
  forward(x: tf.Tensor, dropoutSeed: number | null = null): tf.Tensor {
    const heads = this.config.vision.numAttentionHeads;
    const [batch, tokens] = x.shape as [number, number, number];
    const headSize = this.size / heads;
    // [B, T, 3·D] → three of [B, h, T, d] → [B·h, T, d]
    const parts = tf.split(forwardAdapted(this.qkv, x, dropoutSeed, 0), 3, 2).map((part) => {
      return tf.reshape(splitHeads(part, heads), [batch * heads, tokens, headSize]);
    });
    const [q, k, v] = parts as [tf.Tensor3D, tf.Tensor3D, tf.Tensor3D];
    const mixed = attend(tf.mul(q, 1 / Math.sqrt(headSize)), k, v);
    const merged = mergeHeads(tf.reshape(mixed, [batch, heads, tokens, headSize]));
    return forwardAdapted(this.projection, merged, dropoutSeed, 1);
  }
}
tf.serialization.registerClass(InternAttention);

/** Pre-norm transformer layer with LayerScale: x + ls1 · attention(norm1(x)), then + ls2 · fc2(gelu(fc1(norm2(x)))). */
export class InternVitLayer extends ConfiguredLayer<InternVitSizes> {
  static readonly className = 'GsvaInternVitLayer';
  private readonly size = this.config.vision.hiddenSize;
  private readonly innerSize = this.config.vision.intermediateSize;
  private readonly scale1 = this.parameter('ls1', [this.size], { constant: LAYER_SCALE });
  private readonly scale2 = this.parameter('ls2', [this.size], { constant: LAYER_SCALE });
  private readonly attention = this.track('attn', new InternAttention(this.config));
  private readonly fc1 = this.track('mlp.fc1', projection('mlp.fc1', this.size, this.innerSize, this.config.lora));
  private readonly fc2 = this.track('mlp.fc2', projection('mlp.fc2', this.innerSize, this.size, this.config.lora));
  private readonly norm1 = this.track('norm1', norm(this.config.vision));
  private readonly norm2 = this.track('norm2', norm(this.config.vision));

  /** x [B, T, D] → [B, T, D]. @param dropoutSeed seed of LoRA's dropout, null when not training */
  forward(x: tf.Tensor, dropoutSeed: number | null = null): tf.Tensor {
    const attended = this.attention.forward(this.norm1.forward(x), dropoutSeed);
    const middle = tf.add(x, tf.mul(attended, this.scale1()));
    const inner = fused.gelu(forwardAdapted(this.fc1, this.norm2.forward(middle), dropoutSeed, 2));
    return tf.add(middle, tf.mul(forwardAdapted(this.fc2, inner, dropoutSeed, 3), this.scale2()));
  }
}
tf.serialization.registerClass(InternVitLayer);

export class InternVit extends ConfiguredLayer<InternVitSizes> {
  static readonly className = 'GsvaInternVit';
  readonly takesTiles = true;
  private readonly classEmbedding: () => tf.Tensor3D;
  private readonly positionEmbedding: () => tf.Tensor3D;
  private readonly patchEmbedding: PatchConvolution;
  readonly layers: readonly InternVitLayer[];

  constructor(config: InternVitSizes) {
    super(config);
    const { hiddenSize: size, patchSize: kernel, numHiddenLayers } = config.vision;
    const initial = { deviation: 0.02 };
    this.classEmbedding = this.parameter('embeddings.class_embedding', [1, 1, size], initial) as () => tf.Tensor3D;
    const positions: [number, number, number] = [1, vitPatches(config.vision) + 1, size];
    this.positionEmbedding = this.parameter('embeddings.position_embedding', positions, initial) as () => tf.Tensor3D;
    const patches = new PatchConvolution({ inputSize: 3, outputSize: size, kernel });
    this.patchEmbedding = this.track('embeddings.patch_embedding', patches);
    this.layers = Array.from({ length: numHiddenLayers }, (_, index) => {
      return this.track(`encoder.layers.${index}`, new InternVitLayer(config));
    });
  }

  /** [S, S, 3] */
  get imageShape(): [number, number, number] {
    return [this.config.vision.imageSize, this.config.vision.imageSize, 3];
  }

  /** images [B, H, W, 3], normalised as ImageNet's → features [B, (H/patch)·(W/patch), D], row by row. */
  forward(images: tf.Tensor): tf.Tensor3D {
    return atOnce(this.forwardSteps(images));
  }

  *forwardSteps(images: tf.Tensor): Steps<tf.Tensor3D> {
    const embedded = tf.tidy(() => this.embed(images));
    let hidden: tf.Tensor = embedded;
    try {
      hidden = yield* inTurnSteps(embedded, this.layers);
      return withoutClass(hidden);
    } finally {
      tf.dispose([embedded, hidden]);
    }
  }

  /** The class token and the patches with their positions, [B, 1 + N, D]. */
  embed(images: tf.Tensor): tf.Tensor3D {
    const { hiddenSize } = this.config.vision;
    const grid = this.patchEmbedding.forward(images);
    const [batch, height, width] = grid.shape;
    const patches: tf.Tensor3D = tf.reshape(grid, [batch, height * width, hiddenSize]);
    const classToken = tf.tile<tf.Tensor3D>(this.classEmbedding(), [batch, 1, 1]);
    return tf.add(tf.concat3d([classToken, patches], 1), this.positions(height, width));
  }

  /** Positions of the class token and of a grid of patches, [1, 1 + height · width, D]. */
  positions(height: number, width: number): tf.Tensor3D {
    const { imageSize, patchSize, hiddenSize } = this.config.vision;
    const side = imageSize / patchSize;
    const table = this.positionEmbedding();
    if (height === side && width === side) return table;
    const grid: tf.Tensor3D = tf.reshape(tf.slice(table, [0, 1, 0], [1, -1, -1]), [side, side, hiddenSize]);
    const resized: tf.Tensor3D = tf.reshape(resizeBicubic(grid, height, width), [1, height * width, hiddenSize]);
    return tf.concat3d([tf.slice(table, [0, 0, 0], [1, 1, -1]), resized], 1);
  }

  /** The layers as functions of their input [B, T, D]. @param dropoutSeed seed of LoRA's dropout */
  stack(dropoutSeed: number | null): Stack {
    return this.layers.map((layer, index) => {
      const seed = dropoutSeed === null ? null : dropoutSeed + SEEDS_OF_LAYER * index;
      return (hidden) => layer.forward(hidden, seed);
    });
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => this.forward(single(inputs)));
  }

  override computeOutputShape(inputShape: Shape): Shape {
    const { patchSize, hiddenSize } = this.config.vision;
    const [batch = null, height = null, width = null] = inputShape;
    const patches = height === null || width === null ? null : (height / patchSize) * (width / patchSize);
    return [batch, patches, hiddenSize];
  }
}
tf.serialization.registerClass(InternVit);

/** Hidden states [B, 1 + N, D] without the class token, [B, N, D]. */
export function withoutClass(hidden: tf.Tensor): tf.Tensor3D {
  return tf.slice(hidden, [0, 1, 0], [-1, -1, -1]) as tf.Tensor3D;
}

/** Patches of one tile. */
export function vitPatches({ imageSize, patchSize }: InternVitConfig): number {
  return (imageSize / patchSize) ** 2;
}

function norm({ hiddenSize: size, layerNormEps: epsilon }: InternVitConfig): LayerNorm {
  return new LayerNorm({ size, epsilon });
}
