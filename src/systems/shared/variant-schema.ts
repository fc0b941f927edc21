/** The check of a variant (variant.ts). */
import { alsoCheck, flag, integer, object, readAs } from '../../schema.js';
import { MORE_SEG_TOKENS } from './decision-tokens.js';
import { GSVA_VARIANT, type Variant } from './variant.js';

/** As a configuration or a model folder has it; what is left out is as published. */
export const VARIANT_SCHEMA = object({
  expressionBeforeSeg: flag()
    .describe('"Ref-Exp.+[SEG]": each token stands behind its expression')
    .default(GSVA_VARIANT.expressionBeforeSeg),
  multipleSeg: flag()
    .describe('"Multiple [SEG]": one conversation about all expressions; else each is asked on its own')
    .default(GSVA_VARIANT.multipleSeg),
  reject: flag()
    .describe('"[REJ] Token": absent targets are answered with [REJ]; else with [SEG], whose mask has to stay empty')
    .default(GSVA_VARIANT.reject),
  segTokens: integer({ min: 1, max: 1 + MORE_SEG_TOKENS.length })
    .describe('Number of [SEG] embeddings, taken in turn by the place in the question (paper, Table 10)')
    .default(GSVA_VARIANT.segTokens),
  minimumPixels: integer({ min: 0 })
    .describe('Without [REJ]: a mask of fewer pixels is an absent target')
    .default(GSVA_VARIANT.minimumPixels),
})
  .superRefine(
    alsoCheck<Variant>(({ segTokens, multipleSeg, reject, minimumPixels }, refuse) => {
      if (segTokens > 1 && !multipleSeg) {
        refuse('segTokens', '1 where multipleSeg is false: a single [SEG] has one embedding');
      }
      if (reject && minimumPixels !== GSVA_VARIANT.minimumPixels) {
        refuse('minimumPixels', 'nothing where reject is true: [REJ] says what is absent');
      }
    }),
  )
  .describe("What a model's answers are made of: the rows of the paper's Tables 4 and 10");

/** @param source file that has it, for errors */
export function variantIn(json: unknown, source: string): Variant {
  return json === undefined ? GSVA_VARIANT : readAs(VARIANT_SCHEMA, json, source, ['variant']);
}
