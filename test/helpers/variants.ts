/** The variants of the paper's Tables 4 and 10 by the names of configs/ablations, and a small model for each. */
import type { ModelConfig } from '../../src/systems/shared/model-config.js';
import { readTokenizer } from '../../src/data/read-tokenizer.js';
import type { Tokenizer } from '../../src/data/text/tokenizer.js';
import { addedTokens, MORE_SEG_TOKENS } from '../../src/systems/shared/decision-tokens.js';
import { GSVA_VARIANT, type Variant } from '../../src/systems/shared/variant.js';
import { SMALL_TEXT, TOKENIZER_DIR } from './small-experiment.js';

export const VARIANTS = {
  gsva: GSVA_VARIANT,
  'no-reject': { ...GSVA_VARIANT, reject: false },
  'single-seg': { ...GSVA_VARIANT, multipleSeg: false, reject: false },
  lisa: { ...GSVA_VARIANT, expressionBeforeSeg: false, multipleSeg: false, reject: false },
  'no-expression': { ...GSVA_VARIANT, expressionBeforeSeg: false },
  'eight-seg': { ...GSVA_VARIANT, segTokens: 8 },
} as const satisfies Record<string, Variant>;

export type VariantName = keyof typeof VARIANTS;
export const VARIANT_NAMES = Object.keys(VARIANTS) as VariantName[];

/** SMALL_TEXT with the seven further [SEG] behind the 604 tokens. */
export const SMALL_EIGHT: ModelConfig = {
  ...SMALL_TEXT,
  llm: { ...SMALL_TEXT.llm, vocabSize: 604 + MORE_SEG_TOKENS.length },
  tokens: { ...SMALL_TEXT.tokens, moreSegs: MORE_SEG_TOKENS.map((_, i) => 604 + i) },
};

export function configOf({ segTokens }: Variant): ModelConfig {
  return segTokens === 8 ? SMALL_EIGHT : SMALL_TEXT;
}

export function tokenizerOf({ segTokens }: Variant): Tokenizer {
  const tokenizer = readTokenizer(TOKENIZER_DIR);
  tokenizer.addTokens(addedTokens(segTokens));
  return tokenizer;
}
