/**
 * Names of weights in published files of InternVL3 and SELF1E → names of ours, which are OpenGVLab's: those of a training
 * checkpoint (peft's wrappers around the LLM and the ViT), and those of transformers' own InternVL (its
 * models/internvl/convert_internvl_weights_to_hf.py), whose queries, keys and values stand apart.
 */

/** Third of `attn.qkv` that a tensor is: queries, keys, values. */
export type Third = 0 | 1 | 2;
export type InternVlName = { readonly name: string; readonly third: Third | null } | { readonly unused: string };

export const EMBEDDING = 'language_model.model.embed_tokens.weight';
export const HEAD = 'language_model.lm_head.weight';
export const POSITIONS = 'vision_model.embeddings.position_embedding';
/** The three projections, each a Linear, GELU, and a Linear: `combine_decode_proj` d → d, the others d → 4d. */
export const PROJECTIONS = ['combine_decode_proj', 'combine_decode_proj_ori', 'combine_decode_proj_all'] as const;

const UNUSED: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [/rotary_emb\.inv_freq$/, 'a function of rope_theta'],
  [/embeddings\.position_ids$/, '0, 1, 2, …'],
  [/\.original_module\./, "peft's frozen copy of a module that was trained"],
];

/** Anywhere in a name: torch.compile, FSDP, activation checkpointing, wrappers for several devices, peft. */
const WRAPPERS =
  /(?:^|(?<=\.))(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module|_forward_module|module|base_model\.model)\./g;

type Rename = readonly [pattern: RegExp, replacement: string];

/** transformers' InternVL, before and (`model.` in front) since 4.52. */
const TRANSFORMERS: readonly Rename[] = [
  [/^model\.(?=vision_tower\.|multi_modal_projector\.)/, ''],
  [/^model\.language_model\.(?:model\.)?/, 'language_model.model.'],
  [/^lm_head\./, 'language_model.lm_head.'],
  [/^multi_modal_projector\.layer_norm\./, 'mlp1.0.'],
  [/^multi_modal_projector\.linear_1\./, 'mlp1.1.'],
  [/^multi_modal_projector\.linear_2\./, 'mlp1.3.'],
  [/^vision_tower\.embeddings\.cls_token$/, 'vision_model.embeddings.class_embedding'],
  [/^vision_tower\.embeddings\.position_embeddings$/, POSITIONS],
  [/^vision_tower\.embeddings\.patch_embeddings\.projection\./, 'vision_model.embeddings.patch_embedding.'],
  [/^vision_tower\.encoder\.layer\.(\d+)\./, 'vision_model.encoder.layers.$1.'],
  [/(?<=^vision_model\.encoder\.layers\.\d+\.)attention\.projection_layer\./, 'attn.proj.'],
  [/(?<=^vision_model\.encoder\.layers\.\d+\.)attention\./, 'attn.'],
  [/(?<=^vision_model\.encoder\.layers\.\d+\.)lambda_([12])$/, 'ls$1'],
  [/(?<=^vision_model\.encoder\.layers\.\d+\.)layernorm_before\./, 'norm1.'],
  [/(?<=^vision_model\.encoder\.layers\.\d+\.)layernorm_after\./, 'norm2.'],
];
const SPLIT = /^(vision_model\.encoder\.layers\.\d+\.attn\.)([qkv])_proj\./;

/** Our name of a published tensor, or why it has none. A name that is of no part stays as it is, and is left over. */
export function ownName(published: string): InternVlName {
  const rule = UNUSED.find(([pattern]) => pattern.test(published));
  if (rule !== undefined) return { unused: rule[1] };
  const bare = published
    .replace(WRAPPERS, '')
    .replace(/\.base_layer\./, '.')
    .replace(/\.modules_to_save\.[^.]+\./, '.')
    .replace(/\.(lora_[AB])\.(?:[^.]+\.)?weight$/, '.$1.default.weight');
  const name = TRANSFORMERS.reduce((text, [pattern, replacement]) => text.replace(pattern, replacement), bare);
  const [start = '', before = '', letter = ''] = SPLIT.exec(name) ?? [];
  if (start === '') return { name, third: null };
  return { name: `${before}qkv.${name.slice(start.length)}`, third: 'qkv'.indexOf(letter) as Third };
}
