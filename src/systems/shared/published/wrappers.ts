/**
 * Prefixes that tools put before the names of a state dict without changing its tensors: compilers, wrappers for several devices,
 * trainers, peft. Names without it are those that the published code saves.
 */
import type { PublishedPart } from './part.js';

/** Anywhere in a name: torch.compile, FSDP, activation checkpointing. */
const INNER = /(?:^|(?<=\.))(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module|_forward_module)\./g;
/** In front: DataParallel's and DeepSpeed's, then peft's. */
const OUTER = /^(?:module\.)*(?:base_model\.model\.)?/;

/** Where the names of a part begin, whatever a program of its own puts before them ("model.", "net.sam."). */
const BEGINNINGS: Readonly<Record<PublishedPart, RegExp>> = {
  mllm: /^(.*?\.)??(?:model\.(?:layers|embed_tokens|norm|mm_projector|language_model|multi_modal_projector|vision_tower)\.|lm_head\.|multi_modal_projector\.|language_model\.)/,
  weights:
    /^(.*?\.)??(?:model\.(?:layers|embed_tokens|norm|mm_projector|visual_model|text_hidden_fcs|vision_tower)\.|lm_head\.)/,
  sam: /^(.*?\.)??(?:image_encoder|prompt_encoder|mask_decoder|vision_encoder|shared_image_embedding)\./,
  'vision tower':
    /^(.*?\.)??(?:vision_model|text_model|(?:embeddings\.(?:patch_embedding|class_embedding|position_embedding)|encoder\.layers\.\d+|pre_layrnorm|post_layernorm))\b/,
};

/** Every name without its wrappers, by the name in the file. */
export function unwrapped(part: PublishedPart, names: Iterable<string>): Map<string, string> {
  const bare = new Map([...names].map((name) => [name, name.replace(INNER, '').replace(OUTER, '')]));
  const prefix = commonPrefix(part, bare.values());
  if (prefix === '') return bare;
  return new Map(
    [...bare].map(([name, inner]) => [name, inner.startsWith(prefix) ? inner.slice(prefix.length) : inner]),
  );
}

/** The prefix that most names share. Names without it are left as they are, and so are found to be left over. */
function commonPrefix(part: PublishedPart, names: Iterable<string>): string {
  const counts = new Map<string, number>();
  for (const name of names) {
    const found = BEGINNINGS[part].exec(name);
    if (found !== null) counts.set(found[1] ?? '', (counts.get(found[1] ?? '') ?? 0) + 1);
  }
  const [most] = [...counts].sort((a, b) => b[1] - a[1]);
  return most?.[0] ?? '';
}
