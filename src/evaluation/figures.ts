/**
 * Figures as data: an expression adds to a numerator and a denominator; a figure is their quotient, or the mean of the
 * groups' quotients. So it can be made from records, parts of them and images redrawn for an interval.
 */
import { UserError } from '../errors.js';
import { ratio } from './metrics/mask-overlap.js';
import type { GresScore } from './metrics/gres-score.js';
import { HIT_ABOVE } from './metrics/boxes.js';
import { gsvaCommand } from '../program.js';

/** Facts about an expression under a protocol that figures are made from. */
export interface FigureRecord extends GresScore {
  readonly expression: string;
  /** Pixels of the mask that was scored; 0 without one. */
  readonly predictedArea: number;
  /** IoU of the boxes around mask and target; null without a target, or where no figure asks for it. */
  readonly boxIou: number | null;
}

export interface FigureTerms {
  readonly numerator: number;
  readonly denominator: number;
  /** Default: all expressions are one group. */
  readonly group?: string;
  /** Whether the expression can decide the figure by itself; a figure that none decides is undefined. Default true. */
  readonly decides?: boolean;
}

export interface Figure {
  /** As it is published, '_' for '-'. */
  readonly name: string;
  /** Null where the expression plays no part. */
  readonly terms: (record: FigureRecord) => FigureTerms | null;
}

/** Fractions of 1 by name, in the order of the benchmark; null where no expression decides the figure. */
export type FigureValues = Readonly<Record<string, number | null>>;

/** "N_acc" is written N-acc, as in the papers. */
export function metricTitle(name: string): string {
  return name.replaceAll('_', '-');
}

const share = (counts: boolean): FigureTerms => ({ numerator: Number(counts), denominator: 1 });
const pixels = ({ intersection, union }: GresScore): FigureTerms => ({ numerator: intersection, denominator: union });

/** Mean over expressions; a rightly rejected absent target counts as 1. */
export const G_IOU: Figure = { name: 'gIoU', terms: ({ iou }) => ({ numerator: iou, denominator: 1 }) };
/** Σ intersection / Σ union, areas drawn for absent targets included; undefined where no target is present. */
export const C_IOU: Figure = {
  name: 'cIoU',
  terms: (record) => ({ ...pixels(record), decides: !record.targetIsEmpty }),
};
export const N_ACC: Figure = {
  name: 'N_acc',
  terms: ({ targetIsEmpty, decisionIsRight }) => (targetIsEmpty ? share(decisionIsRight) : null),
};
export const T_ACC: Figure = {
  name: 'T_acc',
  terms: ({ targetIsEmpty, decisionIsRight }) => (targetIsEmpty ? null : share(decisionIsRight)),
};

/** The published code's guard against division by zero; on masks of a few pixels it shows in the sixth digit. */
const UNION_GUARD = 1e-5;

/** RES and ReasonSeg (`validate` of the reference's solver.py): as gIoU, with that guard; two empty masks count as 1. */
export const RES_G_IOU: Figure = {
  name: 'gIoU',
  terms: ({ intersection, union }) => {
    return { numerator: union === 0 ? 1 : intersection / (union + UNION_GUARD), denominator: 1 };
  },
};
/** REC: share of present targets whose box is met with an IoU above 0.5; the box is that of RES's mask (logit > 0). */
export const PRECISION: Figure = {
  name: 'Prec@0.5',
  terms: ({ boxIou, targetIsEmpty }) => (targetIsEmpty ? null : share((boxIou ?? 0) > HIT_ABOVE)),
};

/** Ref-ZOM: over expressions that have a target. */
export const PRESENT_O_IOU: Figure = {
  name: 'oIoU',
  terms: (record) => (record.targetIsEmpty ? null : pixels(record)),
};
export const PRESENT_M_IOU: Figure = {
  name: 'mIoU',
  terms: ({ targetIsEmpty, iou }) => (targetIsEmpty ? null : { numerator: iou, denominator: 1 }),
};
/** Ref-ZOM: share of absent targets for which nothing was drawn, by [REJ] or by an empty mask. */
export const EMPTY_ACC: Figure = {
  name: 'Acc',
  terms: ({ targetIsEmpty, predictedArea }) => (targetIsEmpty ? share(predictedArea === 0) : null),
};
/** Ref-ZOM's mIoU as the published code prints it: gIoU over all expressions. */
export const REPORTED_M_IOU: Figure = { ...G_IOU, name: 'mIoU_as_reported' };

/** ADE20K: the IoU of each class over all images that have it, and of these the mean. */
export const CLASS_M_IOU: Figure = {
  name: 'mIoU',
  terms: (record) => ({ ...pixels(record), group: record.expression }),
};

/** One such expression would make the figure of all others NaN. */
function notFinite(figure: string, { expression }: FigureRecord): UserError {
  return new UserError(
    `Measuring ${metricTitle(figure)}: what ${JSON.stringify(expression)} adds to it is not a finite number. Measure it ` +
      `again, and look at the weights of the model with ${gsvaCommand('inspect --stats FILE')}.`,
    'not-finite',
  );
}

/** Adds up figures, expression by expression. */
export class FigureSums {
  private readonly sums: Map<string, [numerator: number, denominator: number]>[];
  /** Whether an expression has decided each figure. */
  private readonly decided: boolean[];

  constructor(private readonly figures: readonly Figure[]) {
    this.sums = figures.map(() => new Map<string, [number, number]>());
    this.decided = figures.map(() => false);
  }

  add(record: FigureRecord): void {
    for (const [i, { name, terms }] of this.figures.entries()) {
      const found = terms(record);
      if (found === null) continue;
      const { numerator, denominator, group = '', decides = true } = found;
      if (!Number.isFinite(numerator) || !Number.isFinite(denominator)) throw notFinite(name, record);
      if (decides) this.decided[i] = true;
      const groups = this.sums[i] as Map<string, [number, number]>;
      const sum = groups.get(group) ?? [0, 0];
      groups.set(group, [sum[0] + numerator, sum[1] + denominator]);
    }
  }

  values(): FigureValues {
    return Object.fromEntries(
      this.figures.map(({ name }, i) => {
        if (this.decided[i] !== true) return [name, null];
        const quotients = [...(this.sums[i]?.values() ?? [])].flatMap(([a, b]) => ratio(a, b) ?? []);
        return [
          name,
          ratio(
            quotients.reduce((sum, value) => sum + value, 0),
            quotients.length,
          ),
        ];
      }),
    );
  }
}
