/** Tokens of GSVA: [SEG] for what is found, several of them in turn for Table 10, and [REJ] for what is absent. */
import { type ModelConfig, segIds } from '../../config.js';
import { ADDED_TOKENS, addedTokens, segTokenAt } from '../../special-tokens.js';
import type { Variant } from '../../variant.js';
import type { TokenId, Vocabulary } from '../system.js';

export function gsvaVocabulary({ tokens, llm }: ModelConfig, { reject, minimumPixels }: Variant): Vocabulary {
  const found = segIds(tokens);
  const [, rejToken, imageStart, imageEnd] = ADDED_TOKENS;
  const ids: readonly TokenId[] = [
    ...found.map((id, place) => {
      const key = place === 0 ? 'seg' : `more_segs[${place - 1}]`;
      return { token: segTokenAt(place, found.length), id, key: `tokens.${key}` };
    }),
    { token: rejToken, id: tokens.rej, key: 'tokens.rej' },
    { token: imageStart, id: tokens.imStart, key: 'tokens.im_start' },
    { token: imageEnd, id: tokens.imEnd, key: 'tokens.im_end' },
  ];
  return {
    added: addedTokens(found.length),
    addedTokenSpaces: 'kept',
    found,
    absent: reject ? [tokens.rej] : [],
    absentBelow: reject ? 0 : minimumPixels,
    size: llm.vocabSize,
    begin: tokens.bos,
    end: tokens.eos,
    ids,
  };
}
