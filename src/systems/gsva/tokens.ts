/** Tokens of GSVA: [SEG] for what is found, several of them in turn for Table 10, and [REJ] for what is absent. */
import { type ModelConfig, segIds, type TokenIds } from '../shared/model-config.js';
import { UserError } from '../../errors.js';
import { ADDED_TOKENS, addedTokens, segTokenAt } from '../shared/decision-tokens.js';
import type { Tokenizer } from '../../data/text/tokenizer.js';
import type { Variant } from '../shared/variant.js';
import type { TokenId, Vocabulary } from '../system.js';

export function gsvaVocabulary({ tokens, llm }: ModelConfig, { reject, minimumPixels }: Variant): Vocabulary {
  const found = segIds(tokens);
  const rej = rejId(tokens);
  const [, rejToken, imageStart, imageEnd] = ADDED_TOKENS;
  const ids: readonly TokenId[] = [
    ...found.map((id, place) => {
      const key = place === 0 ? 'seg' : `more_segs[${place - 1}]`;
      return { token: segTokenAt(place, found.length), id, key: `tokens.${key}` };
    }),
    { token: rejToken, id: rej, key: 'tokens.rej' },
    { token: imageStart, id: tokens.imStart, key: 'tokens.im_start' },
    { token: imageEnd, id: tokens.imEnd, key: 'tokens.im_end' },
  ];
  return {
    added: addedTokens(found.length),
    addedTokenSpaces: 'kept',
    found,
    absent: reject ? [rej] : [],
    absentBelow: reject ? 0 : minimumPixels,
    size: llm.vocabSize,
    begin: tokens.bos,
    end: tokens.eos,
    ids,
  };
}

/** @throws UserError where config.json has none */
export function rejId({ rej }: TokenIds): number {
  if (rej !== undefined) return rej;
  throw new UserError('config.json: key "tokens.rej" is missing; expected the id of [REJ], which GSVA refuses by.');
}

/** The model with a row of the vocabulary for each of its [SEG]: the ids that the tokenizer gives to them. */
export function withSegTokens(model: ModelConfig, tokenizer: Tokenizer, segTokens: number): ModelConfig {
  tokenizer.addTokens(addedTokens(segTokens));
  if (segIds(model.tokens).length === segTokens) return model;
  const moreSegs = Array.from({ length: segTokens - 1 }, (_, i) => {
    return tokenizer.tokenId(segTokenAt(i + 1, segTokens)) as number;
  });
  const vocabSize = Math.max(model.llm.vocabSize, tokenizer.vocabSize);
  return { ...model, llm: { ...model.llm, vocabSize }, tokens: { ...model.tokens, moreSegs } };
}
