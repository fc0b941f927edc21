/** The parts of SELF1E's figure by the names of their weights: those of the published checkpoints. */
import type { Part } from '../../checkpoints/parts.js';

/** In a title N is the number that the pattern finds. */
type Row = readonly [name: string, symbol: string, title: string, pattern: RegExp];
const ROWS: readonly Row[] = [
  [
    'vision_lora',
    'LoRA (ViT)',
    'layer N of the vision transformer',
    /^vision_model\.encoder\.layers\.(\d+)\.(?:.*\.)?(\w+)\.lora_[AB]\./,
  ],
  ['vision_model', 'InternViT', 'layer N of the vision transformer', /^vision_model\.encoder\.layers\.(\d+)(?:\.|$)/],
  ['vision_embeddings', 'InternViT', "the vision transformer's embeddings", /^vision_model\.embeddings(?:\.|$)/],
  ['vision_model', 'InternViT', 'the vision transformer', /^vision_model(?:\.|$)/],
  ['mlp1', 'mlp1', 'mlp1 (from patches to tokens)', /^mlp1(?:\.|$)/],
  ['embed_tokens', 'embed_tokens', "the LLM's token embeddings", /^language_model\.model\.embed_tokens(?:\.|$)/],
  ['lora', 'LoRA (LLM)', 'layer N of the LLM', /^language_model\.model\.layers\.(\d+)\.(?:.*\.)?(\w+)\.lora_[AB]\./],
  ['language_model', 'F_LLM (Qwen2)', 'layer N of the LLM', /^language_model\.model\.layers\.(\d+)(?:\.|$)/],
  ['language_model', 'F_LLM (Qwen2)', "the LLM's last norm", /^language_model\.model\.norm(?:\.|$)/],
  ['lm_head', 'lm_head', "the LLM's head", /^language_model\.lm_head(?:\.|$)/],
  ['projections', 'f, f′, _proj', 'the projection f (of features)', /^combine_decode_proj_ori(?:\.|$)/],
  ['projections', 'f, f′, _proj', 'the projection f′ (of states)', /^combine_decode_proj_all(?:\.|$)/],
  ['projections', 'f, f′, _proj', 'the projection _proj (of pixels and query)', /^combine_decode_proj(?:\.|$)/],
  ['language_model', 'F_LLM (Qwen2)', 'the LLM', /^language_model(?:\.model)?$/],
];

/** Parts that a model which training starts from may lack. */
const STARTS_RANDOM: readonly string[] = ['vision_lora', 'lora', 'projections'];

export const SELF1E_PARTS: readonly Part[] = ROWS.map(([name, symbol, title, pattern]) => {
  const titleOf = (number: string): string => title.replace(/\bN\b/, number);
  return { name, symbol, title: titleOf, pattern, startsRandom: STARTS_RANDOM.includes(name) };
});

/** Parts that the published recipe trains: norms, biases and the matrices under LoRA stay. */
export const SELF1E_TRAINS: readonly string[] = [
  'vision_lora',
  'mlp1',
  'embed_tokens',
  'lora',
  'lm_head',
  'projections',
];
