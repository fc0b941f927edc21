/** Sizes of the networks, as `config.json` of a checkpoint holds them (snake_case there, as published). */
import type { z } from 'zod';
import { flag, integer, list, number, object, oneOf, type Read, text } from './schema.js';

export const count = (description: string): z.ZodNumber => integer({ min: 0 }).describe(description);

export const CLIP = object({
  hidden_size: count('Width of the hidden states'),
  intermediate_size: count('Width inside the MLPs'),
  num_hidden_layers: count('Layers'),
  num_attention_heads: count('Heads of the self-attention'),
  image_size: count('Side of the square input in pixels'),
  patch_size: count('Side of a patch in pixels'),
  hidden_act: text().describe('Activation of the MLPs, as transformers names it'),
  layer_norm_eps: number().describe('ε of the layer norms'),
  select_layer: integer().describe(
    'Index into the hidden states (embedding first): -2 is the output of the last layer but one',
  ),
}).describe("F_V1: CLIP's vision transformer");

export const INTERN_VIT = object({
  hidden_size: count('Width of the hidden states'),
  intermediate_size: count('Width inside the MLPs'),
  num_hidden_layers: count('Layers'),
  num_attention_heads: count('Heads of the self-attention'),
  image_size: count('Side of a tile, a square input, in pixels'),
  patch_size: count('Side of a patch in pixels'),
  layer_norm_eps: number().describe('ε of the layer norms'),
}).describe('InternViT, the vision transformer of InternVL');

/** A model that is cast to 16 bits with all its buffers has rounded frequencies, whatever computes with them later. */
export const ROPE_FREQUENCIES = ['f32', 'bf16'] as const;

export const LLM = object({
  vocab_size: count('Rows of the embedding, the added tokens included'),
  hidden_size: count('Width of the hidden states'),
  intermediate_size: count('Width inside the MLPs'),
  num_hidden_layers: count('Layers'),
  num_attention_heads: count('Heads of the self-attention'),
  num_key_value_heads: count('Heads of keys and values; by default as many as of queries').optional(),
  attention_bias: flag().describe('Whether the projections to queries, keys and values have biases (Qwen2)').optional(),
  max_position_embeddings: count('Longest conversation in positions, those of the image included'),
  rms_norm_eps: number().describe('ε of the norms'),
  rope_theta: number().describe('Base of the rotary embedding'),
  rope_frequencies: oneOf(ROPE_FREQUENCIES)
    .describe("Precision of the rotary embedding's frequencies: 'bf16' where a model was cast as a whole; else 'f32'")
    .optional(),
}).describe('F_LLM: LLaMA or Qwen2');

export const SAM = object({
  image_size: count('Longest side of the padded square input in pixels'),
  patch_size: count('Side of a patch in pixels'),
  embed_dim: count('Width of the image encoder'),
  depth: count('Layers of the image encoder'),
  num_heads: count('Heads of the image encoder'),
  global_attn_indexes: list(integer({ min: 0 })).describe(
    'Layers that attend to the whole image; the others to windows',
  ),
  window_size: count('Side of a window in patches'),
  prompt_embed_dim: count('Width of prompts and mask decoder'),
  decoder_depth: count('Layers of the mask decoder'),
  decoder_mlp_dim: count("Width inside the mask decoder's MLPs"),
  decoder_heads: count('Heads of the mask decoder'),
  iou_head_hidden_dim: count('Width inside the head that estimates the IoU'),
  mask_in_chans: count('Channels of an embedded mask prompt'),
}).describe('F_V2 and F_mask: SAM');

/** Linear layers of a layer of InternViT. */
export const VIT_PROJECTIONS: readonly string[] = 'attn.qkv attn.proj mlp.fc1 mlp.fc2'.split(' ');

/** Linear layers of a LLaMA decoder layer. */
export const PROJECTIONS: readonly string[] = 'q_proj k_proj v_proj o_proj gate_proj up_proj down_proj'.split(' ');

export const LORA = object({
  r: count('Rank; 0 means no LoRA'),
  alpha: number().describe('α: the adapters are scaled by α / r'),
  targets: list(text()).describe(`Projections of LLaMA that get an adapter: ${PROJECTIONS.join(', ')}`),
  dropout: number({ min: 0, max: 0.999 }).describe("Dropout of the adapters' inputs while training"),
}).describe('LoRA adapters on LLaMA');

/** Forms of φ, from CLIP's width to LLaMA's. */
export const PROJECTORS = ['linear', 'mlp2x_gelu', 'identity'] as const;
export type ProjectorType = (typeof PROJECTORS)[number];
export type ClipConfig = CamelKeys<Read<typeof CLIP>>;
export type InternVitConfig = CamelKeys<Read<typeof INTERN_VIT>>;
export type LlmConfig = CamelKeys<Read<typeof LLM>>;
export type SamConfig = CamelKeys<Read<typeof SAM>>;
export type LoraConfig = CamelKeys<Read<typeof LORA>>;

type Camel<S extends string> = S extends `${infer First}_${infer Rest}` ? `${First}${Capitalize<Camel<Rest>>}` : S;
export type CamelKeys<T> = { [K in keyof T as K extends string ? Camel<K> : never]: T[K] };

export function camelKeys<T extends object>(section: T): CamelKeys<T> {
  return Object.fromEntries(Object.entries(section).map(([key, value]) => [camelCase(key), value])) as CamelKeys<T>;
}

export function camelCase(key: string): string {
  return key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
