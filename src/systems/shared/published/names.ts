/**
 * Names of weights in published files → names of ours (which are those of a GSVA checkpoint without peft's prefix). Pure
 * data and string rules; what GSVA does not use is listed with the reason.
 */
import type { PublishedPart } from './part.js';
import { ownNamesOf } from './transformers.js';
import { unwrapped } from './wrappers.js';

export type OwnName = { readonly name: string } | { readonly unused: string };

interface Rule {
  readonly pattern: RegExp;
  readonly reason: string;
}

const FROZEN_COPY = { pattern: /\.original_module\./, reason: "peft's frozen copy of a module that was trained" };

const UNUSED: Readonly<Record<PublishedPart, readonly Rule[]>> = {
  mllm: [
    { pattern: /rotary_emb\.inv_freq$/, reason: 'a function of rope_theta' },
    { pattern: /^(?:model\.)?vision_tower\./, reason: 'the vision tower comes from its own folder' },
    FROZEN_COPY,
  ],
  'vision tower': [
    { pattern: /^text_model\./, reason: "CLIP's text encoder" },
    { pattern: /^(text|visual)_projection\.|^logit_scale$/, reason: "CLIP's contrastive head" },
    { pattern: /embeddings\.position_ids$/, reason: '0, 1, 2, …' },
    {
      pattern: /^(?:model\.)?(?:language_model|multi_modal_projector)\.|^lm_head\./,
      reason: "LLaVA's, of which this is the vision tower",
    },
  ],
  sam: [
    { pattern: /^pixel_(mean|std)$/, reason: 'constants of the image transform' },
    { pattern: /^prompt_encoder\.shared_embedding\./, reason: 'a copy of shared_image_embedding' },
  ],
  weights: [
    { pattern: /rotary_emb\.inv_freq$/, reason: 'a function of rope_theta' },
    { pattern: /embeddings\.position_ids$/, reason: '0, 1, 2, …' },
    FROZEN_COPY,
  ],
};

/** Our name of every published tensor, or why it has none. */
export function ownNames(part: PublishedPart, published: Iterable<string>): Map<string, OwnName> {
  const bare = unwrapped(part, published);
  const translated = ownNamesOf(part, new Set(bare.values()));
  return new Map([...bare].map(([name, inner]) => [name, ownName(part, inner, translated(inner))]));
}

function ownName(part: PublishedPart, bare: string, translated: string): OwnName {
  const rule = UNUSED[part].find(({ pattern }) => pattern.test(bare));
  if (rule !== undefined) return { unused: rule.reason };
  // LISA's first models have these in files of their own.
  if (/^(?:visual_model|text_hidden_fcs)\./.test(translated)) return { name: `model.${translated}` };
  return { name: `${prefixOf(part, translated)}${withoutAdapterWrappers(translated)}` };
}

function prefixOf(part: PublishedPart, bare: string): string {
  if (part === 'sam') return 'model.visual_model.';
  // A CLIPVisionModel alone is saved without its "vision_model." in newer transformers.
  if (part === 'vision tower') {
    return `model.vision_tower.vision_tower.${bare.startsWith('vision_model.') ? '' : 'vision_model.'}`;
  }
  return '';
}

/**
 * peft: `q_proj.base_layer.weight` is the frozen weight; `lora_A.weight` (a saved adapter) is `lora_A.default.weight`, and so
 * is that of an adapter with a name; `lm_head.modules_to_save.default.weight` is what was trained of a whole module.
 */
function withoutAdapterWrappers(name: string): string {
  return name
    .replace(/\.base_layer\./, '.')
    .replace(/\.modules_to_save\.[^.]+\./, '.')
    .replace(/\.(lora_[AB])\.(?:[^.]+\.)?weight$/, '.$1.default.weight');
}
