/** The forms of GSVA's answers, LISA's among them: the rows of the paper's Tables 4 and 10 as data. */

/** Form of a model's answers; a folder without one holds GSVA as published. */
export interface Variant {
  /** "Ref-Exp.+[SEG]": each token stands behind its expression; else "Sure, [SEG], [SEG].", or LISA's "It is [SEG].". */
  readonly expressionBeforeSeg: boolean;
  /**
   * "Multiple [SEG]": one conversation about all expressions, a token for each; else every expression is asked on its
   * own, in LISA's words, with one [SEG] for all that it refers to.
   */
  readonly multipleSeg: boolean;
  /** "[REJ] Token": absent targets are answered with [REJ]; else with [SEG], whose mask has to stay empty. */
  readonly reject: boolean;
  /** Table 10: number of [SEG] embeddings, taken in turn by the place in the question; 1: all share one. */
  readonly segTokens: number;
  /** Without [REJ]: a mask of fewer pixels says that the target is absent. LISA's rule, not scaled with the image. */
  readonly minimumPixels: number;
}

/** As the paper's evaluation of LISA has it, for photographs of 640 × 480. */
const MINIMUM_PIXELS = 50;

export const GSVA_VARIANT: Variant = {
  expressionBeforeSeg: true,
  multipleSeg: true,
  reject: true,
  segTokens: 1,
  minimumPixels: MINIMUM_PIXELS,
};

export function isPublished(variant: Variant): boolean {
  return (Object.keys(GSVA_VARIANT) as (keyof Variant)[]).every((key) => variant[key] === GSVA_VARIANT[key]);
}
