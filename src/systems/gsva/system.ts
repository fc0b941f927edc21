/** GSVA as a system: everything that the rest of the project knows of it. */
import { type ModelConfig, modelConfigToJson } from '../shared/model-config.js';
import { readModelConfig } from '../shared/published/projector.js';
import { type Variant } from '../shared/variant.js';
import { variantIn } from '../shared/variant-schema.js';
import { LLAVA_SAM_PARTS } from '../shared/llava-sam-parts.js';
import { GROUNDING_RECIPE } from '../shared/llava-sam-step.js';
import { LlavaSam } from '../shared/llava-sam.js';
import { llavaSamPictures } from '../shared/pictures.js';
import type { ModelWords, System } from '../system.js';
import { GsvaDialogue } from './dialogue.js';
import { gsvaVocabulary, withSegTokens } from './tokens.js';

export const system: System<ModelConfig> = {
  name: 'gsva',
  paper: {
    title: 'GSVA: Generalized Segmentation via Multimodal Large Language Models',
    url: 'https://arxiv.org/abs/2312.10103',
  },
  can: { rejects: true, boxes: false, regions: false },
  evaluation: { ignored: 'counted', masks: 'gsva' },
  config: { parse: readModelConfig, toJson: modelConfigToJson },
  parts: LLAVA_SAM_PARTS,
  recipe: GROUNDING_RECIPE,
  vocabulary: (config, words) => gsvaVocabulary(config, variantOf(words)),
  dialogue: (_, words) => new GsvaDialogue(variantOf(words)),
  pictures: llavaSamPictures,
  grow: (config, words, tokenizer) => withSegTokens(config, tokenizer, variantOf(words).segTokens),
  build: (config) => new LlavaSam(config),
};

function variantOf({ variant, source = 'meta.json' }: ModelWords): Variant {
  return variantIn(variant, source);
}
