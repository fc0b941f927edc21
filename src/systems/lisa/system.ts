/** LISA as a system: GSVA's network with one kind of [SEG], asked for one target at a time. */
import { type ModelConfig, modelConfigToJson } from '../shared/model-config.js';
import { readModelConfig } from '../shared/published/projector.js';
import { LLAVA_SAM_PARTS } from '../shared/llava-sam-parts.js';
import { GROUNDING_RECIPE } from '../shared/llava-sam-step.js';
import { LlavaSam } from '../shared/llava-sam.js';
import { llavaSamPictures } from '../shared/pictures.js';
import type { System } from '../system.js';
import { LisaDialogue } from './dialogue.js';
import { lisaVocabulary } from './tokens.js';

export const system: System<ModelConfig> = {
  name: 'lisa',
  paper: {
    title: 'LISA: Reasoning Segmentation via Large Language Model',
    url: 'https://arxiv.org/abs/2308.00692',
  },
  can: { rejects: false, boxes: false, regions: false },
  evaluation: { ignored: 'excluded', masks: 'lisa' },
  config: { parse: readModelConfig, toJson: modelConfigToJson },
  parts: LLAVA_SAM_PARTS,
  recipe: GROUNDING_RECIPE,
  vocabulary: ({ tokens, llm }) => lisaVocabulary(tokens, llm.vocabSize),
  dialogue: (_, { explanationOnly }) => new LisaDialogue(explanationOnly),
  pictures: llavaSamPictures,
  // A start model of GSVA may have [REJ].
  grow: ({ tokens: { rej: _, ...tokens }, ...config }) => ({ ...config, tokens }),
  build: (config) => new LlavaSam(config),
};
