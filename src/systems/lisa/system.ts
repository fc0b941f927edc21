/** LISA as a system: GSVA's network with one kind of [SEG], asked for one target at a time. */
import { LLAVA_SAM_SYSTEM } from '../shared/llava-sam-system.js';
import type { ModelConfig } from '../shared/model-config.js';
import type { System } from '../system.js';
import { LisaDialogue } from './dialogue.js';
import { lisaVocabulary } from './tokens.js';

export const system: System<ModelConfig> = {
  ...LLAVA_SAM_SYSTEM,
  name: 'lisa',
  paper: {
    title: 'LISA: Reasoning Segmentation via Large Language Model',
    url: 'https://arxiv.org/abs/2308.00692',
  },
  can: { rejects: false, boxes: false, regions: false },
  evaluation: { ignored: 'excluded', masks: 'lisa' },
  vocabulary: ({ tokens, llm }) => lisaVocabulary(tokens, llm.vocabSize),
  dialogue: (_, { explanationOnly }) => new LisaDialogue(explanationOnly),
  // A start model of GSVA may have [REJ].
  grow: ({ tokens: { rej: _, ...tokens }, ...config }) => ({ ...config, tokens }),
};
