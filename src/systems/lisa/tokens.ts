/** Tokens of LISA: one [SEG], which is always answered; an absent target has an empty mask. */
import type { TokenIds } from '../../config.js';
import { IMAGE_END_TOKEN, IMAGE_START_TOKEN, SEG_TOKEN } from '../../special-tokens.js';
import type { Vocabulary } from '../system.js';

/** Tokens of a training text, in which the picture is one: 512 positions, of which it takes 256. */
export const MAX_TRAINING_TOKENS = 512 - 255;
/** New tokens of an answer in chat. */
export const MAX_NEW_TOKENS = 512;
/** Smaller masks say that the target is absent; for photographs of 640 × 480. */
const ABSENT_BELOW = 50;

/** The published models have the ids of transformers 4.31, which strips white space next to added tokens. */
export const LISA_TOKENS = {
  added: [SEG_TOKEN, IMAGE_START_TOKEN, IMAGE_END_TOKEN],
  addedTokenSpaces: 'stripped',
} as const;

/** @param size rows of the embedding */
export function lisaVocabulary(
  { seg, imStart, imEnd, bos, eos }: Pick<TokenIds, 'seg' | 'imStart' | 'imEnd' | 'bos' | 'eos'>,
  size: number,
): Vocabulary {
  return {
    ...LISA_TOKENS,
    found: [seg],
    absent: [],
    absentBelow: ABSENT_BELOW,
    size,
    begin: bos,
    end: eos,
    ids: [
      { token: SEG_TOKEN, id: seg, key: 'tokens.seg' },
      { token: IMAGE_START_TOKEN, id: imStart, key: 'tokens.im_start' },
      { token: IMAGE_END_TOKEN, id: imEnd, key: 'tokens.im_end' },
    ],
  };
}
