/** Tokens of LISA: one [SEG], which is always answered; an absent target has an empty mask. */
import type { TokenIds } from '../shared/model-config.js';
import { IMAGE_END_TOKEN, IMAGE_START_TOKEN } from '../../special-tokens.js';
import { SEG_TOKEN } from '../shared/decision-tokens.js';
import { IMAGE_PATCH_TOKEN, LISA_TOKENS, LISA_V0_TOKENS } from '../shared/decision-tokens.js';
import type { TokenId, Vocabulary } from '../system.js';

/** Tokens of a training text, in which the picture is one: 512 positions, of which it takes 256. */
export const MAX_TRAINING_TOKENS = 512 - 255;
/** New tokens of an answer in chat. */
export const MAX_NEW_TOKENS = 512;
/** Smaller masks say that the target is absent; for photographs of 640 × 480. */
const ABSENT_BELOW = 50;

type Ids = Pick<TokenIds, 'seg' | 'imPatch' | 'imStart' | 'imEnd' | 'bos' | 'eos'>;

/** @param size rows of the embedding */
export function lisaVocabulary({ seg, imPatch, imStart, imEnd, bos, eos }: Ids, size: number): Vocabulary {
  const patch: TokenId[] =
    imPatch === undefined ? [] : [{ token: IMAGE_PATCH_TOKEN, id: imPatch, key: 'tokens.im_patch' }];
  return {
    ...(imPatch === undefined ? LISA_TOKENS : LISA_V0_TOKENS),
    found: [seg],
    absent: [],
    absentBelow: ABSENT_BELOW,
    size,
    begin: bos,
    end: eos,
    ids: [
      { token: SEG_TOKEN, id: seg, key: 'tokens.seg' },
      ...patch,
      { token: IMAGE_START_TOKEN, id: imStart, key: 'tokens.im_start' },
      { token: IMAGE_END_TOKEN, id: imEnd, key: 'tokens.im_end' },
    ],
  };
}
