/** A model's variant as a configuration or a model folder writes it. */
import type { JsonReader } from '../io/json/json-reader.js';
import { MORE_SEG_TOKENS } from '../special-tokens.js';
import { GSVA_VARIANT, type Variant } from '../variant.js';

/**
 * What is left out is as published.
 * @throws UserError naming file and key
 */
export function readVariant(variant: JsonReader | null): Variant {
  if (variant === null) return GSVA_VARIANT;
  variant.onlyKeys(Object.keys(GSVA_VARIANT));
  const flag = (key: 'expressionBeforeSeg' | 'multipleSeg' | 'reject'): boolean => {
    return variant.optional(key)?.boolean() ?? GSVA_VARIANT[key];
  };
  const read: Variant = {
    expressionBeforeSeg: flag('expressionBeforeSeg'),
    multipleSeg: flag('multipleSeg'),
    reject: flag('reject'),
    segTokens: variant.optional('segTokens')?.integer({ min: 1, max: 1 + MORE_SEG_TOKENS.length }) ?? 1,
    minimumPixels: variant.optional('minimumPixels')?.integer({ min: 0 }) ?? GSVA_VARIANT.minimumPixels,
  };
  if (read.segTokens > 1 && !read.multipleSeg) {
    variant.key('segTokens').fail('1 where multipleSeg is false: a single [SEG] has one embedding');
  }
  if (read.reject && read.minimumPixels !== GSVA_VARIANT.minimumPixels) {
    variant.key('minimumPixels').fail('nothing where reject is true: [REJ] says what is absent');
  }
  return read;
}
