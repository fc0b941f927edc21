/**
 * GSVA as a system: everything that the rest of the project knows of it. Tokens of GSVA: [SEG] for what is found,
 * several of them in turn for Table 10, and [REJ] for what is absent.
 */
import type { Tokenizer } from '../../data/text/tokenizer.js';
import { UserError } from '../../errors.js';
import { ADDED_TOKENS, addedTokens, segTokenAt } from '../shared/decision-tokens.js';
import { LLAVA_SAM_SYSTEM } from '../shared/llava-sam-system.js';
import { type ModelConfig, segIds, type TokenIds } from '../shared/model-config.js';
import { variantIn } from '../shared/variant-schema.js';
import type { Variant } from '../shared/variant.js';
import type { ModelWords, System, TokenId, Vocabulary } from '../system.js';
import { GsvaDialogue } from './dialogue.js';

export const system: System<ModelConfig> = {
  ...LLAVA_SAM_SYSTEM,
  name: 'gsva',
  paper: {
    title: 'GSVA: Generalized Segmentation via Multimodal Large Language Models',
    url: 'https://arxiv.org/abs/2312.10103',
  },
  can: { rejects: true, boxes: false, regions: false },
  evaluation: { ignored: 'counted', masks: 'gsva' },
  vocabulary: (config, words) => gsvaVocabulary(config, variantOf(words)),
  dialogue: (_, words) => new GsvaDialogue(variantOf(words)),
  grow: (config, words, tokenizer) => withSegTokens(config, tokenizer, variantOf(words).segTokens),
};

function variantOf({ variant, source = 'meta.json' }: ModelWords): Variant {
  return variantIn(variant, source);
}

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
    pad: tokens.eos,
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
