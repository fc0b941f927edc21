/** The parts of GSVA's figure, which are LISA's too, by the names of their weights in the published checkpoints. */
import type { Part } from '../../checkpoints/parts.js';

export const LLAVA_SAM_PARTS: readonly Part[] = [
  {
    name: 'vision_tower',
    symbol: 'F_V1 (CLIP)',
    title: (layer) => `layer ${layer} of the vision tower (F_V1)`,
    pattern: /^model\.vision_tower\..*?encoder\.layers\.(\d+)(?:\.|$)/,
  },
  {
    name: 'vision_tower',
    symbol: 'F_V1 (CLIP)',
    title: () => 'the vision tower (F_V1)',
    pattern: /^model\.vision_tower(?:\.|$)/,
  },
  { name: 'projector', symbol: 'projector', title: () => 'the projector (φ)', pattern: /^model\.mm_projector(?:\.|$)/ },
  {
    name: 'embed_tokens',
    symbol: 'embed_tokens',
    title: () => "the LLM's token embeddings",
    pattern: /^model\.embed_tokens(?:\.|$)/,
  },
  {
    name: 'lora',
    symbol: 'LoRA',
    title: (layer) => `layer ${layer} of the LLM`,
    pattern: /^model\.layers\.(\d+)\.(?:.*\.)?(\w+)\.lora_[AB]\./,
    startsRandom: true,
  },
  {
    name: 'language_model',
    symbol: 'F_LLM (LLaMA)',
    title: (layer) => `layer ${layer} of the LLM`,
    pattern: /^model\.layers\.(\d+)(?:\.|$)/,
  },
  {
    name: 'language_model',
    symbol: 'F_LLM (LLaMA)',
    title: () => "the LLM's last norm",
    pattern: /^model\.norm(?:\.|$)/,
  },
  { name: 'lm_head', symbol: 'lm_head', title: () => "the LLM's head", pattern: /^lm_head(?:\.|$)/ },
  {
    name: 'psi',
    symbol: 'mask prompt',
    title: () => 'ψ (from hidden state to mask query)',
    pattern: /^model\.text_hidden_fcs(?:\.|$)/,
    startsRandom: true,
  },
  {
    name: 'image_encoder',
    symbol: 'F_V2 (SAM)',
    title: (block) => `block ${block} of SAM's image encoder (F_V2)`,
    pattern: /^model\.visual_model\.image_encoder\.blocks\.(\d+)(?:\.|$)/,
  },
  {
    name: 'image_encoder',
    symbol: 'F_V2 (SAM)',
    title: () => "SAM's image encoder (F_V2)",
    pattern: /^model\.visual_model\.image_encoder(?:\.|$)/,
  },
  {
    name: 'prompt_encoder',
    symbol: 'F_V2 (SAM)',
    title: () => "SAM's prompt encoder",
    pattern: /^model\.visual_model\.prompt_encoder(?:\.(?:point|no)|$)/,
  },
  {
    // The grid of positions, and masks as prompts, which no recipe gives it.
    name: 'prompt_encoder_fixed',
    symbol: 'F_V2 (SAM)',
    title: () => "SAM's prompt encoder",
    pattern: /^model\.visual_model\.prompt_encoder\./,
  },
  {
    name: 'mask_decoder',
    symbol: 'F_mask (SAM)',
    title: () => "SAM's mask decoder (F_mask)",
    pattern: /^model\.visual_model\.mask_decoder(?:\.|$)/,
  },
  { name: 'language_model', symbol: 'F_LLM (LLaMA)', title: () => 'the LLM', pattern: /^model$/ },
];

/** Parts that the grounding recipe trains; the published code saves these apart from what it starts from. */
export const GROUNDING_TRAINS: readonly string[] = ['lora', 'embed_tokens', 'lm_head', 'psi', 'mask_decoder'];
