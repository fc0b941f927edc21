/**
 * Generalized referring segmentation (gRefCOCO; GSVA paper, section 4 and tables 1–3): gIoU, cIoU, N-acc, T-acc.
 *
 *   gIoU   mean over expressions of the IoU; an absent target scores 1 when rejected, else 0
 *   cIoU   Σ intersection / Σ union
 *   N-acc  share of absent targets that were answered with [REJ]
 *   T-acc  share of present targets that were answered with [SEG]
 *
 * Three protocols say what a rejection does to the mask and where the answer comes from:
 *
 *   reference  `eval_gres` of the published solver.py. Answers by teacher forcing; then every expression gets a mask
 *              in a second pass, and a present target that was wrongly rejected **keeps the score of that mask**.
 *   strict     answers by teacher forcing as well, but a rejected expression has an empty mask: rejecting a present
 *              target scores IoU 0 and adds the target's area to the union.
 *   generate   scored as `strict`, on the answer that the model wrote itself.
 *
 * In all of them mask = logit ≥ 0, and an absent target answered with [SEG] adds its predicted area to the union.
 *
 * A generated answer may pass over an expression, writing neither [SEG] nor [REJ] for it ('none'). That is no mask,
 * and it is no decision either: nothing counts as right that was not said. A present target then has IoU 0, its area
 * joins the union, and it is wrong for T-acc; an absent one scores gIoU 0 and is wrong for N-acc.
 */
import type { Answer as Decision } from '../../systems/system-info.js';
import type { BinaryMask } from '../../types.js';
import { maskOverlap } from './mask-overlap.js';

export const GRES_PROTOCOLS = ['reference', 'strict', 'generate'] as const;
export type GresProtocol = (typeof GRES_PROTOCOLS)[number];

/** Setting by which each protocol asks in a form of its own. */
export const OWN_FORMS = 'default';
const TABLE_6 = ['what', 'where', 'show', 'outline'] as const;
/** Those that can be chosen; a system may lack the forms of Table 6 of GSVA's paper. */
export const QUESTION_SETTINGS = [OWN_FORMS, 'reference', 'trained', ...TABLE_6] as const;
export type QuestionSetting = (typeof QUESTION_SETTINGS)[number];

export function isTable6(question: string): boolean {
  return (TABLE_6 as readonly string[]).includes(question);
}

/** Form of a protocol: published for published figures, else as trained. @param setting a form, or `OWN_FORMS` */
export function formOfProtocol(protocol: GresProtocol, setting: string): string {
  if (setting !== OWN_FORMS) return setting;
  return protocol === 'reference' ? 'reference' : 'trained';
}

/** How an expression was answered, if at all. */
export type Answer = Decision | 'none';

/** The contribution of one expression. */
export interface GresScore {
  readonly targetIsEmpty: boolean;
  /** Was the right one of [SEG] and [REJ] answered? */
  readonly decisionIsRight: boolean;
  /** The expression's share in gIoU, in [0, 1]. */
  readonly iou: number;
  /** Pixels added to the two sums of cIoU. */
  readonly intersection: number;
  readonly union: number;
}

/**
 * @param prediction at the target's size; may be null for 'none', and for [REJ] but in `reference`; after [SEG] null
 *   counts as an empty mask
 * @param target all zero when the expression fits nothing in the image
 * @throws UserError when masks differ in size; RangeError when `reference` lacks a decision or a present target's mask
 */
export function scoreGres(
  protocol: GresProtocol,
  { prediction, target, answer }: { prediction: BinaryMask | null; target: BinaryMask; answer: Answer },
): GresScore {
  const keepsRejectedMask = protocol === 'reference';
  if (keepsRejectedMask && answer === 'none') {
    throw new RangeError("scoreGres: under 'reference' every expression is answered with [SEG] or [REJ]");
  }
  const mask = answer === 'found' || keepsRejectedMask ? prediction : null;
  const overlap = maskOverlap(mask, target);
  const targetIsEmpty = overlap.targetArea === 0;
  if (targetIsEmpty) {
    const decisionIsRight = answer === 'absent';
    // A right rejection leaves both sums of cIoU alone, also where the second pass drew a mask.
    const union = decisionIsRight ? 0 : overlap.predictedArea;
    return { targetIsEmpty, decisionIsRight, iou: decisionIsRight ? 1 : 0, intersection: 0, union };
  }
  if (keepsRejectedMask && prediction === null) {
    throw new RangeError("scoreGres: under 'reference' a rejected expression needs the mask of the second pass");
  }
  const { intersection, union } = overlap;
  return { targetIsEmpty, decisionIsRight: answer === 'found', iou: intersection / union, intersection, union };
}
