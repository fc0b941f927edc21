/** Parts of a system that GSVA and LISA share: network, sizes, encoders' inputs, recipe. */
import type { EncoderInput } from '../../data/image/prepare-image.js';
import type { System } from '../system.js';
import { type ModelConfig, modelConfigToJson, readModelConfig } from './model-config.js';
import { LLAVA_SAM_PARTS } from './llava-sam-parts.js';
import { GROUNDING_RECIPE } from './llava-sam-step.js';
import { LlavaSam } from './llava-sam.js';

export function llavaSamPictures({ clip, sam }: ModelConfig) {
  return {
    clip: { transform: 'crop', side: clip.imageSize, neededFor: 'text' },
    sam: { transform: 'pad', side: sam.imageSize, neededFor: 'masks' },
  } satisfies Record<string, EncoderInput>;
}

export const LLAVA_SAM_SYSTEM = {
  config: { parse: readModelConfig, toJson: modelConfigToJson },
  parts: LLAVA_SAM_PARTS,
  recipe: GROUNDING_RECIPE,
  pictures: llavaSamPictures,
  build: (config) => new LlavaSam(config),
} satisfies Partial<System<ModelConfig>>;
