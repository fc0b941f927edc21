/** The parts of GSVA's figure, which are LISA's too, by the names of their weights in the published checkpoints. */
import type { Part } from '../../checkpoints/parts.js';

/** In a title N is the number that the pattern finds. */
type Row = readonly [name: string, symbol: string, title: string, pattern: RegExp];
const ROWS: readonly Row[] = [
  [
    'vision_tower',
    'F_V1 (CLIP)',
    'layer N of the vision tower (F_V1)',
    /^model\.vision_tower\..*?encoder\.layers\.(\d+)(?:\.|$)/,
  ],
  ['vision_tower', 'F_V1 (CLIP)', 'the vision tower (F_V1)', /^model\.vision_tower(?:\.|$)/],
  ['projector', 'projector', 'the projector (φ)', /^model\.mm_projector(?:\.|$)/],
  ['embed_tokens', 'embed_tokens', "the LLM's token embeddings", /^model\.embed_tokens(?:\.|$)/],
  ['lora', 'LoRA', 'layer N of the LLM', /^model\.layers\.(\d+)\.(?:.*\.)?(\w+)\.lora_[AB]\./],
  ['language_model', 'F_LLM (LLaMA)', 'layer N of the LLM', /^model\.layers\.(\d+)(?:\.|$)/],
  ['language_model', 'F_LLM (LLaMA)', "the LLM's last norm", /^model\.norm(?:\.|$)/],
  ['lm_head', 'lm_head', "the LLM's head", /^lm_head(?:\.|$)/],
  ['psi', 'mask prompt', 'ψ (from hidden state to mask query)', /^model\.text_hidden_fcs(?:\.|$)/],
  [
    'image_encoder',
    'F_V2 (SAM)',
    "block N of SAM's image encoder (F_V2)",
    /^model\.visual_model\.image_encoder\.blocks\.(\d+)(?:\.|$)/,
  ],
  ['image_encoder', 'F_V2 (SAM)', "SAM's image encoder (F_V2)", /^model\.visual_model\.image_encoder(?:\.|$)/],
  ['prompt_encoder', 'F_V2 (SAM)', "SAM's prompt encoder", /^model\.visual_model\.prompt_encoder(?:\.(?:point|no)|$)/],
  // The grid of positions, and masks as prompts, which no recipe gives it.
  ['prompt_encoder_fixed', 'F_V2 (SAM)', "SAM's prompt encoder", /^model\.visual_model\.prompt_encoder\./],
  ['mask_decoder', 'F_mask (SAM)', "SAM's mask decoder (F_mask)", /^model\.visual_model\.mask_decoder(?:\.|$)/],
  ['language_model', 'F_LLM (LLaMA)', 'the LLM', /^model$/],
];

/** Parts that a model which training starts from may lack. */
const STARTS_RANDOM: readonly string[] = ['lora', 'psi'];

export const LLAVA_SAM_PARTS: readonly Part[] = ROWS.map(([name, symbol, title, pattern]) => {
  const titleOf = (number: string): string => title.replace(/\bN\b/, number);
  return { name, symbol, title: titleOf, pattern, startsRandom: STARTS_RANDOM.includes(name) };
});

/** Parts that the grounding recipe trains; the published code saves these apart from what it starts from. */
export const GROUNDING_TRAINS: readonly string[] = ['lora', 'embed_tokens', 'lm_head', 'psi', 'mask_decoder'];
