/**
 * Names of weights in published files → names of ours (which are those of a GSVA checkpoint without peft's prefix). Pure
 * data and string rules; what GSVA does not use is listed with the reason.
 */

/** The four files or folders that the published code is given. */
export type PublishedPart = 'mllm' | 'vision tower' | 'sam' | 'weights';

export type OwnName = { readonly name: string } | { readonly unused: string };

/** Before every name: peft's wrapper, DeepSpeed's and DataParallel's. */
const WRAPPERS = /^(?:module\.)?(?:base_model\.model\.)?/;

interface Rule {
  readonly pattern: RegExp;
  readonly reason: string;
}

const UNUSED: Readonly<Record<PublishedPart, readonly Rule[]>> = {
  mllm: [
    { pattern: /rotary_emb\.inv_freq$/, reason: 'a function of rope_theta' },
    { pattern: /^model\.vision_tower\./, reason: 'the vision tower comes from its own folder' },
  ],
  'vision tower': [
    { pattern: /^text_model\./, reason: "CLIP's text encoder" },
    { pattern: /^(text|visual)_projection\.|^logit_scale$/, reason: "CLIP's contrastive head" },
    { pattern: /embeddings\.position_ids$/, reason: '0, 1, 2, …' },
  ],
  sam: [{ pattern: /^pixel_(mean|std)$/, reason: 'constants of the image transform' }],
  weights: [
    { pattern: /rotary_emb\.inv_freq$/, reason: 'a function of rope_theta' },
    { pattern: /embeddings\.position_ids$/, reason: '0, 1, 2, …' },
  ],
};

/** Our name of a published tensor, or why it has none. */
export function ownName(part: PublishedPart, published: string): OwnName {
  const bare = published.replace(WRAPPERS, '');
  const rule = UNUSED[part].find(({ pattern }) => pattern.test(bare));
  if (rule !== undefined) return { unused: rule.reason };
  return { name: `${prefixOf(part, bare)}${withoutAdapterWrappers(bare)}` };
}

function prefixOf(part: PublishedPart, bare: string): string {
  if (part === 'sam') return 'model.visual_model.';
  // A CLIPVisionModel alone is saved without its "vision_model." in newer transformers.
  if (part === 'vision tower') {
    return `model.vision_tower.vision_tower.${bare.startsWith('vision_model.') ? '' : 'vision_model.'}`;
  }
  return '';
}

/** peft: `q_proj.base_layer.weight` is the frozen weight; `lora_A.weight` (a saved adapter) is `lora_A.default.weight`. */
function withoutAdapterWrappers(name: string): string {
  return name.replace(/\.base_layer\./, '.').replace(/\.(lora_[AB])\.weight$/, '.$1.default.weight');
}
