/** GSVA as a system: everything that the rest of the project knows of it. */
import { type ModelConfig, modelConfigToJson, parseModelConfig } from '../../config.js';
import { GSVA_VARIANT, type Variant } from '../../variant.js';
import { LLAVA_SAM_PARTS } from '../shared/llava-sam-parts.js';
import { GROUNDING_RECIPE } from '../shared/llava-sam-step.js';
import { LlavaSam } from '../shared/llava-sam.js';
import { llavaSamPictures } from '../shared/pictures.js';
import type { ModelWords, System } from '../system.js';
import { GsvaDialogue } from './dialogue.js';
import { gsvaVocabulary } from './tokens.js';

export const system: System<ModelConfig> = {
  name: 'gsva',
  paper: {
    title: 'GSVA: Generalized Segmentation via Multimodal Large Language Models',
    url: 'https://arxiv.org/abs/2312.10103',
  },
  can: { rejects: true, boxes: false, regions: false },
  evaluation: { ignored: 'counted', masks: 'gsva' },
  config: { parse: parseModelConfig, toJson: modelConfigToJson },
  parts: LLAVA_SAM_PARTS,
  recipe: GROUNDING_RECIPE,
  vocabulary: (config, words) => gsvaVocabulary(config, variantOf(words)),
  dialogue: (_, words) => new GsvaDialogue(variantOf(words)),
  pictures: llavaSamPictures,
  build: (config) => new LlavaSam(config),
};

/** Checked where it was read: in the model's folder, or in a configuration. */
function variantOf({ variant = GSVA_VARIANT }: ModelWords): Variant {
  return variant as Variant;
}
