/**
 * F_LLM: LLaMA (Touvron et al. 2023) and Qwen2 (Yang et al. 2024) as transformers' `LlamaModel` and `Qwen2Model` compute
 * them: RMSNorm, rotary positions, attention (several heads of queries may share one of keys and values), SiLU-gated
 * MLP; LoRA on chosen projections. Works on embeddings, since text and vision tokens are mixed.
 */
import type { LlmConfig, LoraConfig } from '../../config.js';
import * as fused from '../../engine/fused-ops.js';
import { atOnce, type Steps } from '../../engine/steps.js';
import * as tf from '../../engine/tf.js';
import { mergeHeads, rotaryTables, splitHeads } from '../../nn/attention.js';
import { ConfiguredLayer, single } from '../../nn/composite-layer.js';
import type { Linear } from '../../nn/layers.js';
import { Embedding, RmsNorm } from '../../nn/layers.js';
import { forwardAdapted, linearWithLora } from '../lora.js';

/** Keys and values of one layer for the tokens so far, [B, H, T, D] each. Owned by whoever holds the cache. */
export interface LayerCache {
  readonly keys: tf.Tensor4D;
  readonly values: tf.Tensor4D;
}

/** Inputs of a decoder layer other than the hidden states. */
export interface DecoderContext {
  /** [T, D] tables of the positions of this call's tokens. */
  readonly cos: tf.Tensor2D;
  readonly sin: tf.Tensor2D;
  /** Valid tokens per row [B] int32 when rows are padded on the right, else null. */
  readonly keyLengths: tf.Tensor1D | null;
  /** [B, 1, Tq, Tk] added to the scores: 0 where a query sees a key, far below where not. Null: all is causal. */
  readonly scoreBias?: tf.Tensor4D | null;
  /** Seed of LoRA's dropout, null when not training. */
  readonly dropoutSeed: number | null;
}

export interface DecoderConfig {
  readonly llm: LlmConfig;
  readonly lora: LoraConfig;
}

/** A layer that `call` applies to whole sequences, without cache and padding. */
abstract class ContextLayer extends ConfiguredLayer<DecoderConfig> {
  abstract override forward(hidden: tf.Tensor, context: DecoderContext): [tf.Tensor, unknown];

  /**
   * Rotary tables and lengths for a call over positions [start, start + time). Disposed by the caller's tidy.
   * @param lengths valid tokens per row, or null when no row is padded
   */
  context(start: number, time: number, lengths: readonly number[] | null, dropoutSeed: number | null = null) {
    const { llm } = this.config;
    const isRounded = llm.ropeFrequencies === 'bf16';
    const { cos, sin } = rotaryTables(start, time, attentionSizes(llm).headSize, llm.ropeTheta, isRounded);
    const isPadded = lengths?.some((length) => length < start + time) ?? false;
    const keyLengths = lengths === null || !isPadded ? null : tf.tensor1d([...lengths], 'int32');
    return { cos, sin, keyLengths, dropoutSeed };
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => {
      const hidden = single(inputs);
      return this.forward(hidden, this.context(0, hidden.shape[1] as number, null))[0];
    });
  }
}

export class DecoderAttention extends ContextLayer {
  static readonly className = 'GsvaDecoderAttention';
  private readonly query = this.track('q_proj', projection('q_proj', this.config));
  private readonly key = this.track('k_proj', projection('k_proj', this.config));
  private readonly values = this.track('v_proj', projection('v_proj', this.config));
  private readonly outProjection = this.track('o_proj', projection('o_proj', this.config));

  /**
   * hidden [B, T, D] → [B, T, D]; with `past`, T counts only the new tokens.
   * @returns the output and the keys and values of all tokens so far
   */
  forward(hidden: tf.Tensor, context: DecoderContext, past: LayerCache | null = null): [tf.Tensor, LayerCache] {
    const { numAttentionHeads: heads } = this.config.llm;
    const { keyValueHeads, headSize } = attentionSizes(this.config.llm);
    const seed = context.dropoutSeed;
    const project = (layer: Linear, offset: number, heads: number) =>
      splitHeads(forwardAdapted(layer, hidden, seed, offset), heads);
    const queries = fused.rotary(project(this.query, 0, heads), context.cos, context.sin);
    const newKeys = fused.rotary(project(this.key, 1, keyValueHeads), context.cos, context.sin);
    const newValues = project(this.values, 2, keyValueHeads);
    const keys: tf.Tensor4D = past === null ? newKeys : tf.concat4d([past.keys, newKeys], 2);
    const values: tf.Tensor4D = past === null ? newValues : tf.concat4d([past.values, newValues], 2);
    const [batch, , time] = queries.shape;
    // Queries of neighbouring heads share keys and values: below each other they are one product.
    const grouped: [number, number, number, number] = [batch, keyValueHeads, (heads / keyValueHeads) * time, headSize];
    const products: tf.Tensor4D = tf.matMul(tf.reshape(queries, grouped), keys, false, true);
    const scores: tf.Tensor4D = tf.reshape(products, [batch, heads, time, keys.shape[2]]);
    const weights = attentionWeights(scores, 1 / Math.sqrt(headSize), context, past);
    const mixed = tf.matMul(tf.reshape(weights, products.shape), values);
    const merged = mergeHeads(tf.reshape(mixed, [batch, heads, time, headSize]));
    return [forwardAdapted(this.outProjection, merged, seed, 3), { keys, values }];
  }
}
tf.serialization.registerClass(DecoderAttention);

/** down(silu(gate(x)) · up(x)). */
export class DecoderMlp extends ConfiguredLayer<DecoderConfig> {
  static readonly className = 'GsvaDecoderMlp';
  private readonly gate = this.track('gate_proj', projection('gate_proj', this.config));
  private readonly up = this.track('up_proj', projection('up_proj', this.config));
  private readonly down = this.track('down_proj', projection('down_proj', this.config));

  /** x [B, T, D] → [B, T, D]. @param dropoutSeed seed of LoRA's dropout, null when not training */
  forward(x: tf.Tensor, dropoutSeed: number | null = null): tf.Tensor {
    const gate = forwardAdapted(this.gate, x, dropoutSeed, 4);
    const up = forwardAdapted(this.up, x, dropoutSeed, 5);
    return forwardAdapted(this.down, fused.siluMul(gate, up), dropoutSeed, 6);
  }
}
tf.serialization.registerClass(DecoderMlp);

export class DecoderLayer extends ContextLayer {
  static readonly className = 'GsvaDecoderLayer';
  private readonly attention = this.track('self_attn', new DecoderAttention(this.config));
  private readonly mlp = this.track('mlp', new DecoderMlp(this.config));
  private readonly inputNorm = this.track('input_layernorm', norm(this.config));
  private readonly postAttentionNorm = this.track('post_attention_layernorm', norm(this.config));

  /** hidden [B, T, D] → [B, T, D] and the layer's cache. */
  forward(hidden: tf.Tensor, context: DecoderContext, past: LayerCache | null = null): [tf.Tensor, LayerCache] {
    const [attended, cache] = this.attention.forward(this.inputNorm.forward(hidden), context, past);
    const middle = tf.add(hidden, attended);
    return [tf.add(middle, this.mlp.forward(this.postAttentionNorm.forward(middle), context.dropoutSeed)), cache];
  }
}
tf.serialization.registerClass(DecoderLayer);

export class DecoderLm extends ContextLayer {
  static readonly className = 'GsvaDecoderLm';
  private readonly table = { rows: this.config.llm.vocabSize, size: this.config.llm.hiddenSize };
  readonly embedTokens = this.track('embed_tokens', new Embedding(this.table));
  readonly layers = Array.from({ length: this.config.llm.numHiddenLayers }, (_, index) => {
    return this.track(`layers.${index}`, new DecoderLayer(this.config));
  });
  readonly norm = this.track('norm', norm(this.config));

  /** The layers as functions of their input [B, T, D], first to last; the context stays the caller's. */
  stack(context: DecoderContext): ((hidden: tf.Tensor) => tf.Tensor)[] {
    return this.layers.map((layer, index) => (hidden) => layer.forward(hidden, layerContext(context, index))[0]);
  }

  /** embeddings [B, T, D] → normalised last hidden states [B, T, D] and the cache of every layer. */
  forward(...inputs: Parameters<DecoderLm['forwardSteps']>): [tf.Tensor, LayerCache[]] {
    return atOnce(this.forwardSteps(...inputs));
  }

  /** As `forward`, with a step after every layer. The arguments stay the caller's. */
  *forwardSteps(
    embeddings: tf.Tensor,
    context: DecoderContext,
    past: readonly LayerCache[] | null = null,
  ): Steps<[tf.Tensor, LayerCache[]]> {
    const caches: LayerCache[] = [];
    let hidden = embeddings;
    let isDone = false;
    try {
      for (const [index, layer] of this.layers.entries()) {
        const input = hidden;
        const { output, ...cache } = tf.tidy(() => {
          const [output, cache] = layer.forward(input, layerContext(context, index), past?.[index] ?? null);
          return { output, ...cache };
        });
        hidden = output;
        caches.push(cache);
        if (input !== embeddings) input.dispose();
        yield hidden;
      }
      const normed = tf.tidy(() => this.norm.forward(hidden));
      isDone = true;
      return [normed, caches];
    } finally {
      if (hidden !== embeddings) hidden.dispose();
      if (!isDone) for (const { keys, values } of caches) tf.dispose([keys, values]);
    }
  }
}
tf.serialization.registerClass(DecoderLm);

/** The context of layer `index`, with its own dropout seed. */
export function layerContext(context: DecoderContext, index: number): DecoderContext {
  return context.dropoutSeed === null ? context : { ...context, dropoutSeed: context.dropoutSeed + 16 * index };
}

/** Numbers of an attention: heads of keys and values, and the width of a head. */
export function attentionSizes({ hiddenSize, numAttentionHeads, numKeyValueHeads = numAttentionHeads }: LlmConfig) {
  return { keyValueHeads: numKeyValueHeads, headSize: hiddenSize / numAttentionHeads };
}

function attentionWeights(
  scores: tf.Tensor4D,
  scale: number,
  { keyLengths, scoreBias = null }: DecoderContext,
  past: LayerCache | null,
): tf.Tensor4D {
  if (scoreBias !== null) return fused.maskedSoftmax(tf.add(scores, scoreBias), { scale });
  return fused.maskedSoftmax(scores, { scale, causalOffset: past === null ? 0 : past.keys.shape[2], keyLengths });
}

function projection(name: string, { llm, lora }: DecoderConfig): Linear {
  const { hiddenSize, intermediateSize, attentionBias = false } = llm;
  const { keyValueHeads, headSize } = attentionSizes(llm);
  const isGateOrUp = name === 'gate_proj' || name === 'up_proj';
  const isKeyOrValue = name === 'k_proj' || name === 'v_proj';
  const sizes = {
    inputSize: name === 'down_proj' ? intermediateSize : hiddenSize,
    outputSize: isGateOrUp ? intermediateSize : isKeyOrValue ? keyValueHeads * headSize : hiddenSize,
    useBias: attentionBias && (isKeyOrValue || name === 'q_proj'),
  };
  return linearWithLora(sizes, name, lora);
}

function norm({ llm }: DecoderConfig): RmsNorm {
  return new RmsNorm({ size: llm.hiddenSize, epsilon: llm.rmsNormEps });
}
