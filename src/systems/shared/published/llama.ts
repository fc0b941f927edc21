/** LLaMA's sizes from LLaVA's config.json, at the top or (transformers' own LLaVA) in "text_config". */
import type { LlmConfig } from '../../../config.js';
import type { JsonReader } from '../../../io/json/json-reader.js';

/** transformers leaves out of a nested config what equals these (LlamaConfig); at the top it writes all. */
const NESTED_DEFAULTS = {
  hidden_size: 4096,
  intermediate_size: 11008,
  num_hidden_layers: 32,
  num_attention_heads: 32,
} as const;
const DEFAULT_EPSILON = 1e-6;
const DEFAULT_THETA = 10000;
/** Architectures with weights of the same names that compute otherwise. */
const OTHER_MODELS =
  /mi[sx]tral|mpt|qwen|gemma|phi|falcon|opt$|next|onevision|video|vipllava|idefics|blip|cohere|granite/i;

/** @param vocabSize rows of the embedding */
export function llamaConfig(llava: JsonReader, vocabSize: number): LlmConfig {
  const nested = llava.optional('text_config');
  const llama = nested ?? llava;
  for (const root of [llava, llama]) refuseOtherModel(root);
  const count = (key: keyof typeof NESTED_DEFAULTS): number => {
    if (nested === null) return llama.key(key).integer({ min: 1 });
    return llama.optional(key)?.integer({ min: 1 }) ?? NESTED_DEFAULTS[key];
  };
  const heads = count('num_attention_heads');
  const hiddenSize = count('hidden_size');
  const keyHeads = llama.optional('num_key_value_heads')?.integer({ min: 1 }) ?? heads;
  if (keyHeads !== heads) llama.key('num_key_value_heads').fail(`${heads} (grouped queries are not supported)`);
  const headSize = llama.optional('head_dim');
  if (headSize !== null && headSize.value !== hiddenSize / heads) {
    headSize.fail(
      `${hiddenSize / heads}, which is hidden_size / num_attention_heads (heads of another size are not supported)`,
    );
  }
  for (const key of ['attention_bias', 'mlp_bias', 'qkv_bias']) {
    const bias = llama.optional(key);
    if (bias?.boolean() === true) bias.fail('false (biases of LLaMA are not supported)');
  }
  llama.optional('hidden_act')?.oneOf(['silu']);
  const epsilon = nested === null ? llama.key('rms_norm_eps') : llama.optional('rms_norm_eps');
  return {
    vocabSize,
    hiddenSize,
    intermediateSize: count('intermediate_size'),
    numHiddenLayers: count('num_hidden_layers'),
    numAttentionHeads: heads,
    maxPositionEmbeddings: llama.optional('max_position_embeddings')?.integer({ min: 1 }) ?? 2048,
    rmsNormEps: epsilon?.number({ min: 0 }) ?? DEFAULT_EPSILON,
    ropeTheta: ropeTheta(llama),
  };
}

/** Whether lm_head is the embedding. */
export function tiesEmbeddings(llava: JsonReader): boolean {
  const said = [llava, llava.optional('text_config')].map((root) => root?.optional('tie_word_embeddings') ?? null);
  return said.some((value) => value?.boolean() === true);
}

function refuseOtherModel(root: JsonReader): void {
  const type = root.optional('model_type');
  if (type !== null && OTHER_MODELS.test(type.string()))
    type.fail('"llava" or "llama" (other models are not supported)');
}

/** `rope_theta` and `rope_scaling`, which are one since transformers 5: `rope_parameters`. */
function ropeTheta(llama: JsonReader): number {
  const places = ['rope_parameters', 'rope_scaling'].map((key) => llama.optional(key));
  places.forEach(refuseScaling);
  const partial = [llama, ...places].map((place) => place?.optional('partial_rotary_factor') ?? null);
  for (const factor of partial) {
    if (factor !== null && factor.value !== 1) factor.fail('1 (positions of a part of each head are not supported)');
  }
  const found = [llama, ...places].flatMap((place) => place?.optional('rope_theta') ?? []);
  const [first, ...others] = found;
  if (first === undefined) return DEFAULT_THETA;
  const theta = first.number({ min: 1 });
  for (const other of others) if (other.value !== theta) other.fail(`${theta}, which "${first.path}" says`);
  return theta;
}

function refuseScaling(place: JsonReader | null): void {
  if (place === null) return;
  const type = place.optional('rope_type') ?? place.optional('type');
  if (type !== null && type.value !== 'default') type.fail('"default" (scaled positions are not supported)');
  const isPlain = ['rope_theta', 'rope_type', 'type', 'partial_rotary_factor'];
  const other = Object.keys(place.object()).find((key) => !isPlain.includes(key) && place.optional(key) !== null);
  if (other !== undefined) place.key(other).fail('nothing (scaled positions are not supported)');
}
