/**
 * F_LLM: LLaMA (Touvron et al. 2023) as transformers' `LlamaModel` computes it: RMSNorm, rotary positions, causal
 * attention, SiLU-gated MLP; LoRA on chosen projections. Works on embeddings, since GSVA mixes text and vision tokens.
 */
import type { LlmConfig, LoraConfig } from '../../config.js';
import * as fused from '../../engine/fused-ops.js';
import { atOnce, type Steps } from '../../engine/steps.js';
import * as tf from '../../engine/tf.js';
import { mergeHeads, rotaryTables, splitHeads } from '../../nn/attention.js';
import { ConfiguredLayer, single } from '../../nn/composite-layer.js';
import { Embedding, Linear, RmsNorm } from '../../nn/layers.js';
import { LoraLinear } from '../lora.js';

/** Keys and values of one layer for the tokens so far, [B, H, T, D] each. Owned by whoever holds the cache. */
export interface LayerCache {
  readonly keys: tf.Tensor4D;
  readonly values: tf.Tensor4D;
}

/** Inputs of a decoder layer other than the hidden states. */
export interface LlamaContext {
  /** [T, D] tables of the positions of this call's tokens. */
  readonly cos: tf.Tensor2D;
  readonly sin: tf.Tensor2D;
  /** Valid tokens per row [B] int32 when rows are padded on the right, else null. */
  readonly keyLengths: tf.Tensor1D | null;
  /** Seed of LoRA's dropout, null when not training. */
  readonly dropoutSeed: number | null;
}

export interface LlamaConfig {
  readonly llm: LlmConfig;
  readonly lora: LoraConfig;
}

/** A layer that `call` applies to whole sequences, without cache and padding. */
abstract class ContextLayer extends ConfiguredLayer<LlamaConfig> {
  abstract override forward(hidden: tf.Tensor, context: LlamaContext): [tf.Tensor, unknown];

  /**
   * Rotary tables and lengths for a call over positions [start, start + time). Disposed by the caller's tidy.
   * @param lengths valid tokens per row, or null when no row is padded
   */
  context(start: number, time: number, lengths: readonly number[] | null, dropoutSeed: number | null = null) {
    const { hiddenSize, numAttentionHeads, ropeTheta } = this.config.llm;
    const { cos, sin } = rotaryTables(start, time, hiddenSize / numAttentionHeads, ropeTheta);
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

export class LlamaAttention extends ContextLayer {
  static readonly className = 'GsvaLlamaAttention';
  private readonly query = this.track('q_proj', projection('q_proj', this.config));
  private readonly key = this.track('k_proj', projection('k_proj', this.config));
  private readonly values = this.track('v_proj', projection('v_proj', this.config));
  private readonly outProjection = this.track('o_proj', projection('o_proj', this.config));

  /**
   * hidden [B, T, D] → [B, T, D]; with `past`, T counts only the new tokens.
   * @returns the output and the keys and values of all tokens so far
   */
  forward(hidden: tf.Tensor, context: LlamaContext, past: LayerCache | null = null): [tf.Tensor, LayerCache] {
    const { numAttentionHeads: heads, hiddenSize } = this.config.llm;
    const seed = context.dropoutSeed;
    const project = (layer: Linear, offset: number) => splitHeads(adapted(layer, hidden, seed, offset), heads);
    const queries = fused.rotary(project(this.query, 0), context.cos, context.sin);
    const newKeys = fused.rotary(project(this.key, 1), context.cos, context.sin);
    const newValues = project(this.values, 2);
    const keys: tf.Tensor4D = past === null ? newKeys : tf.concat4d([past.keys, newKeys], 2);
    const values: tf.Tensor4D = past === null ? newValues : tf.concat4d([past.values, newValues], 2);
    const scores: tf.Tensor4D = tf.matMul(queries, keys, false, true);
    const weights = fused.maskedSoftmax(scores, {
      scale: 1 / Math.sqrt(hiddenSize / heads),
      causalOffset: past === null ? 0 : past.keys.shape[2],
      keyLengths: context.keyLengths,
    });
    const mixed = mergeHeads(tf.matMul(weights, values));
    return [adapted(this.outProjection, mixed, seed, 3), { keys, values }];
  }
}
tf.serialization.registerClass(LlamaAttention);

/** down(silu(gate(x)) · up(x)). */
export class LlamaMlp extends ConfiguredLayer<LlamaConfig> {
  static readonly className = 'GsvaLlamaMlp';
  private readonly gate = this.track('gate_proj', projection('gate_proj', this.config));
  private readonly up = this.track('up_proj', projection('up_proj', this.config));
  private readonly down = this.track('down_proj', projection('down_proj', this.config));

  /** x [B, T, D] → [B, T, D]. @param dropoutSeed seed of LoRA's dropout, null when not training */
  forward(x: tf.Tensor, dropoutSeed: number | null = null): tf.Tensor {
    const gate = adapted(this.gate, x, dropoutSeed, 4);
    const up = adapted(this.up, x, dropoutSeed, 5);
    return adapted(this.down, fused.siluMul(gate, up), dropoutSeed, 6);
  }
}
tf.serialization.registerClass(LlamaMlp);

export class LlamaDecoderLayer extends ContextLayer {
  static readonly className = 'GsvaLlamaDecoderLayer';
  private readonly attention = this.track('self_attn', new LlamaAttention(this.config));
  private readonly mlp = this.track('mlp', new LlamaMlp(this.config));
  private readonly inputNorm = this.track('input_layernorm', norm(this.config));
  private readonly postAttentionNorm = this.track('post_attention_layernorm', norm(this.config));

  /** hidden [B, T, D] → [B, T, D] and the layer's cache. */
  forward(hidden: tf.Tensor, context: LlamaContext, past: LayerCache | null = null): [tf.Tensor, LayerCache] {
    const [attended, cache] = this.attention.forward(this.inputNorm.forward(hidden), context, past);
    const middle = tf.add(hidden, attended);
    return [tf.add(middle, this.mlp.forward(this.postAttentionNorm.forward(middle), context.dropoutSeed)), cache];
  }
}
tf.serialization.registerClass(LlamaDecoderLayer);

export class Llama extends ContextLayer {
  static readonly className = 'GsvaLlama';
  private readonly table = { rows: this.config.llm.vocabSize, size: this.config.llm.hiddenSize };
  readonly embedTokens = this.track('embed_tokens', new Embedding(this.table));
  readonly layers = Array.from({ length: this.config.llm.numHiddenLayers }, (_, index) => {
    return this.track(`layers.${index}`, new LlamaDecoderLayer(this.config));
  });
  readonly norm = this.track('norm', norm(this.config));

  /** embeddings [B, T, D] → normalised last hidden states [B, T, D] and the cache of every layer. */
  forward(...inputs: Parameters<Llama['forwardSteps']>): [tf.Tensor, LayerCache[]] {
    return atOnce(this.forwardSteps(...inputs));
  }

  /** As `forward`, with a step after every layer. The arguments stay the caller's. */
  *forwardSteps(
    embeddings: tf.Tensor,
    context: LlamaContext,
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
tf.serialization.registerClass(Llama);

/** The context of layer `index`, with its own dropout seed. */
export function layerContext(context: LlamaContext, index: number): LlamaContext {
  return context.dropoutSeed === null ? context : { ...context, dropoutSeed: context.dropoutSeed + 16 * index };
}

/** A projection with or without adapter, each (`offset` 0 … 6) with its own dropout seed. */
function adapted(layer: Linear, x: tf.Tensor, dropoutSeed: number | null, offset: number): tf.Tensor {
  if (!(layer instanceof LoraLinear)) return layer.forward(x);
  return layer.forward(x, dropoutSeed === null ? null : dropoutSeed + offset);
}

function projection(name: string, { llm, lora }: LlamaConfig): Linear {
  const { hiddenSize, intermediateSize } = llm;
  const inputSize = name === 'down_proj' ? intermediateSize : hiddenSize;
  const outputSize = name === 'gate_proj' || name === 'up_proj' ? intermediateSize : hiddenSize;
  const sizes = { inputSize, outputSize, useBias: false };
  if (lora.r === 0 || !lora.targets.includes(name)) return new Linear(sizes);
  return new LoraLinear({ ...sizes, r: lora.r, alpha: lora.alpha, dropout: lora.dropout });
}

function norm({ llm }: LlamaConfig): RmsNorm {
  return new RmsNorm({ size: llm.hiddenSize, epsilon: llm.rmsNormEps });
}
