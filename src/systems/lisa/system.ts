/**
 * LISA as a system: GSVA's network with one kind of [SEG], asked for one target at a time. Tokens of LISA: one [SEG],
 * which is always answered; an absent target has an empty mask.
 */
import { IMAGE_END_TOKEN, IMAGE_START_TOKEN } from '../../special-tokens.js';
import { IMAGE_PATCH_TOKEN, LISA_TOKENS, LISA_V0_TOKENS, SEG_TOKEN } from '../shared/decision-tokens.js';
import { LLAVA_SAM_SYSTEM } from '../shared/llava-sam-system.js';
import type { ModelConfig, TokenIds } from '../shared/model-config.js';
import type { System, Vocabulary } from '../system.js';
import { LisaDialogue } from './dialogue.js';

export const system: System<ModelConfig> = {
  ...LLAVA_SAM_SYSTEM,
  name: 'lisa',
  paper: { title: 'LISA: Reasoning Segmentation via Large Language Model', url: 'https://arxiv.org/abs/2308.00692' },
  can: { rejects: false, boxes: false, regions: false },
  evaluation: { ignored: 'excluded', masks: 'lisa' },
  vocabulary: ({ tokens, llm }) => lisaVocabulary(tokens, llm.vocabSize),
  dialogue: (_, { explanationOnly }) => new LisaDialogue(explanationOnly),
  // A start model of GSVA may have [REJ].
  grow: ({ tokens: { rej: _, ...tokens }, ...config }) => ({ ...config, tokens }),
};

/** Tokens of a training text, in which the picture is one: 512 positions, of which it takes 256. */
export const MAX_TRAINING_TOKENS = 512 - 255;
/** Smaller masks say that the target is absent; for photographs of 640 × 480. */
const ABSENT_BELOW = 50;

type Ids = Pick<TokenIds, 'seg' | 'imPatch' | 'imStart' | 'imEnd' | 'bos' | 'eos'>;

/** @param size rows of the embedding */
export function lisaVocabulary({ seg, imPatch, imStart, imEnd, bos, eos }: Ids, size: number): Vocabulary {
  return {
    ...(imPatch === undefined ? LISA_TOKENS : LISA_V0_TOKENS),
    found: [seg],
    absent: [],
    absentBelow: ABSENT_BELOW,
    size,
    begin: bos,
    end: eos,
    pad: eos,
    ids: [
      { token: SEG_TOKEN, id: seg, key: 'tokens.seg' },
      ...(imPatch === undefined ? [] : [{ token: IMAGE_PATCH_TOKEN, id: imPatch, key: 'tokens.im_patch' }]),
      { token: IMAGE_START_TOKEN, id: imStart, key: 'tokens.im_start' },
      { token: IMAGE_END_TOKEN, id: imEnd, key: 'tokens.im_end' },
    ],
  };
}
