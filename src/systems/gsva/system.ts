/** GSVA as a system: everything that the rest of the project knows of it. */
import { LLAVA_SAM_SYSTEM } from '../shared/llava-sam-system.js';
import type { ModelConfig } from '../shared/model-config.js';
import type { Variant } from '../shared/variant.js';
import { variantIn } from '../shared/variant-schema.js';
import type { ModelWords, System } from '../system.js';
import { GsvaDialogue } from './dialogue.js';
import { gsvaVocabulary, withSegTokens } from './tokens.js';

export const system: System<ModelConfig> = {
  ...LLAVA_SAM_SYSTEM,
  name: 'gsva',
  paper: {
    title: 'GSVA: Generalized Segmentation via Multimodal Large Language Models',
    url: 'https://arxiv.org/abs/2312.10103',
  },
  can: { rejects: true, boxes: false, regions: false },
  evaluation: { ignored: 'counted', masks: 'gsva' },
  vocabulary: (config, words) => gsvaVocabulary(config, variantOf(words)),
  dialogue: (_, words) => new GsvaDialogue(variantOf(words)),
  grow: (config, words, tokenizer) => withSegTokens(config, tokenizer, variantOf(words).segTokens),
};

function variantOf({ variant, source = 'meta.json' }: ModelWords): Variant {
  return variantIn(variant, source);
}
