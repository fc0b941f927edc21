/** LLaMA's sizes from LLaVA's config.json, at the top or (transformers' own LLaVA) in "text_config". */
import { type CamelKeys, camelKeys, type LlmConfig } from '../../../config.js';
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
  const sizes = sizesIn(llama, NESTED_DEFAULTS, nested !== null);
  const { hiddenSize, numAttentionHeads: heads } = sizes;
  const keyHeads = llama.optional('num_key_value_heads')?.integer({ min: 1 }) ?? heads;
  if (keyHeads !== heads) llama.key('num_key_value_heads').fail(`${heads} (grouped queries are not supported)`);
  const headSize = `${hiddenSize / heads}, which is hidden_size / num_attention_heads (heads of another size are not supported)`;
  requireValue(llama, 'head_dim', hiddenSize / heads, headSize);
  for (const key of ['attention_bias', 'mlp_bias', 'qkv_bias']) {
    requireValue(llama, key, false, 'false (biases of LLaMA are not supported)');
  }
  llama.optional('hidden_act')?.oneOf(['silu']);
  const epsilon = nested === null ? llama.key('rms_norm_eps') : llama.optional('rms_norm_eps');
  return {
    vocabSize,
    ...sizes,
    maxPositionEmbeddings: llama.optional('max_position_embeddings')?.integer({ min: 1 }) ?? 2048,
    rmsNormEps: epsilon?.number({ min: 0 }) ?? DEFAULT_EPSILON,
    ropeTheta: ropeTheta(llama),
  };
}

/** Counts from 1 up by their keys; a key that may be absent has its default. */
export function sizesIn<Defaults extends Readonly<Record<string, number>>>(
  root: JsonReader,
  defaults: Defaults,
  mayLack = true,
): CamelKeys<Record<keyof Defaults, number>> {
  const sizes = Object.entries(defaults).map(([key, value]) => {
    return [key, (mayLack ? root.optional(key) : root.key(key))?.integer({ min: 1 }) ?? value];
  });
  return camelKeys(Object.fromEntries(sizes) as Record<keyof Defaults, number>);
}

/** Refuses another value than this one; the key may be absent. */
export function requireValue(root: JsonReader | null, key: string, value: unknown, expected: string): void {
  const found = root?.optional(key) ?? null;
  if (found !== null && found.value !== value) found.fail(expected);
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
  for (const place of [llama, ...places]) {
    requireValue(place, 'partial_rotary_factor', 1, '1 (positions of a part of each head are not supported)');
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
