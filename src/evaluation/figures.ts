/**
 * Figures as data: an expression adds to a numerator and a denominator; a figure is their quotient, or the mean of the
 * groups' quotients. So it can be made from records, parts of them and images redrawn for an interval.
 */
import { UserError } from '../errors.js';
import { type MaskOverlap, ratio, HIT_ABOVE } from './metrics/mask-overlap.js';
import type { GresScore } from './metrics/gres-score.js';
import { gsvaCommand } from '../program.js';

/** Facts about an expression under a protocol that figures are made from. */
export interface FigureRecord extends GresScore {
  readonly expression: string;
  /** Pixels of the mask that was scored; 0 without one. */
  readonly predictedArea: number;
  /** IoU of the boxes around mask and target; null without a target, or where no figure asks for it. */
  readonly boxIou: number | null;
  /** ReasonSeg by LISA's rules: whether it asks by a phrase ("short") or a whole sentence ("long"). */
  readonly wording?: Wording | undefined;
}

export const WORDINGS = ['phrase', 'sentence'] as const;
export type Wording = (typeof WORDINGS)[number];

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
  /** Value from the sums of both terms; default: their ratio, null where the denominator is 0. */
  readonly quotient?: (numerator: number, denominator: number) => number;
}

/** Fractions of 1 by name, in the order of the benchmark; null where no expression decides the figure. */
export type FigureValues = Readonly<Record<string, number | null>>;

/** "N_acc" is written N-acc, as in the papers. */
export function metricTitle(name: string): string {
  return name.replaceAll('_', '-');
}

export function formatFigure(value: number | null | undefined): string {
  return value === null || value === undefined || !Number.isFinite(value) ? '–' : value.toFixed(3);
}

function figure(name: string, terms: Figure['terms']): Figure {
  return { name, terms };
}

const share = (counts: boolean): FigureTerms => ({ numerator: Number(counts), denominator: 1 });
const pixels = ({ intersection, union }: GresScore): FigureTerms => ({ numerator: intersection, denominator: union });

/** Mean over expressions; a rightly rejected absent target counts as 1. */
export const G_IOU = figure('gIoU', ({ iou }) => ({ numerator: iou, denominator: 1 }));
/** Σ intersection / Σ union, areas drawn for absent targets included; undefined where no target is present. */
export const C_IOU = figure('cIoU', (record) => ({ ...pixels(record), decides: !record.targetIsEmpty }));
export const N_ACC = figure('N_acc', (record) => (record.targetIsEmpty ? share(record.decisionIsRight) : null));
export const T_ACC = figure('T_acc', (record) => (record.targetIsEmpty ? null : share(record.decisionIsRight)));

/** The published code's guard against division by zero; on masks of a few pixels it shows in the sixth digit. */
const UNION_GUARD = 1e-5;

/** RES and ReasonSeg (`validate` of the reference's solver.py): as gIoU, with that guard; two empty masks count as 1. */
export const RES_G_IOU = figure('gIoU', ({ intersection, union }) => {
  return { numerator: union === 0 ? 1 : intersection / (union + UNION_GUARD), denominator: 1 };
});
/** REC: share of present targets whose box is met with an IoU above 0.5; the box is that of RES's mask (logit > 0). */
export const PRECISION = figure('Prec@0.5', ({ boxIou, targetIsEmpty }) => {
  return targetIsEmpty ? null : share((boxIou ?? 0) > HIT_ABOVE);
});

/** Ref-ZOM: over expressions that have a target. */
export const PRESENT_O_IOU = figure('oIoU', (record) => (record.targetIsEmpty ? null : pixels(record)));
export const PRESENT_M_IOU = figure('mIoU', (record) => (record.targetIsEmpty ? null : G_IOU.terms(record)));
/** Ref-ZOM: share of absent targets for which nothing was drawn, by [REJ] or by an empty mask. */
export const EMPTY_ACC = figure('Acc', (record) => (record.targetIsEmpty ? share(record.predictedArea === 0) : null));
/** Ref-ZOM's mIoU as the published code prints it: gIoU over all expressions. */
export const REPORTED_M_IOU: Figure = { ...G_IOU, name: 'mIoU_as_reported' };
/** ADE20K: the IoU of each class over all images that have it, and of these the mean. */
export const CLASS_M_IOU = figure('mIoU', (record) => ({ ...pixels(record), group: record.expression }));

/** LISA's guard in a quotient of sums, and in the number of masks. */
const LISA_GUARDS = { sums: 1e-10, count: 1e-5 } as const;

/**
 * Validation of LISA (`validate` of train_ds.py) and of SELF1E, which has it from there: the mean of intersection / (union + 1e-5), plus 1 where the union is
 * empty. Its sums are gathered in float32.
 */
export const LISA_G_IOU: Figure = {
  ...RES_G_IOU,
  quotient: (sum, count) => Math.fround(sum) / (count + LISA_GUARDS.count),
};
export const LISA_C_IOU: Figure = {
  name: 'cIoU',
  terms: pixels,
  quotient: (intersection, union) => Math.fround(intersection) / (Math.fround(union) + LISA_GUARDS.sums),
};

/** Absent targets for which no pixel was drawn, where no token says so. */
export const EMPTY_N_ACC: Figure = { ...EMPTY_ACC, name: 'N_acc' };

/** Figures of ReasonSeg's short and long queries apart. */
export const LISA_BY_WORDING: readonly Figure[] = WORDINGS.flatMap((wording) =>
  [LISA_G_IOU, LISA_C_IOU].map((whole) => ({
    ...whole,
    name: `${whole.name}_${wording === 'phrase' ? 'short' : 'long'}`,
    terms: (record: FigureRecord) => (record.wording === wording ? whole.terms(record) : null),
  })),
);

/** @param overlaps of all masks (logit > 0), ignored pixels left out of them */
export function lisaFigures(overlaps: readonly Pick<MaskOverlap, 'intersection' | 'union'>[]): FigureValues {
  const sums = new FigureSums([LISA_G_IOU, LISA_C_IOU]);
  const rest = { targetIsEmpty: false, decisionIsRight: true, iou: 0, predictedArea: 0, boxIou: null, expression: '' };
  for (const overlap of overlaps) sums.add({ ...rest, ...overlap });
  return sums.values();
}

/** One such expression would make the figure of all others NaN. */
function notFinite(figure: string, { expression }: FigureRecord): UserError {
  return new UserError(
    `Measuring ${metricTitle(figure)}: what ${JSON.stringify(expression)} adds to it is not a finite number. Measure it ` +
      `again, and look at the weights of the model with ${gsvaCommand('inspect --stats FILE')}.`,
    'not-finite',
  );
}

/**
 * Places of figures' sums in a list: each group of a figure's expressions has a numerator, a denominator, and the number
 * of expressions that decide the figure by themselves.
 */
export class FigureCells {
  /** The first place of each group, by figure. */
  private readonly groups: readonly Map<string, number>[];
  /** Places that are given away. */
  size = 0;

  constructor(private readonly figures: readonly Figure[]) {
    this.groups = figures.map(() => new Map<string, number>());
  }

  /** @param sums by place */
  addTo(sums: Map<number, number>, record: FigureRecord): void {
    for (const [i, { name, terms }] of this.figures.entries()) {
      const found = terms(record);
      if (found === null) continue;
      const { numerator, denominator, group = '', decides = true } = found;
      if (!Number.isFinite(numerator) || !Number.isFinite(denominator)) throw notFinite(name, record);
      const groups = this.groups[i] as Map<string, number>;
      const first = groups.get(group) ?? this.size;
      if (first === this.size) this.size += 3;
      groups.set(group, first);
      for (const [k, term] of [numerator, denominator, Number(decides)].entries()) {
        sums.set(first + k, (sums.get(first + k) ?? 0) + term);
      }
    }
  }

  /** Value of a figure from such sums: the mean of its groups' quotients; null where no expression decides it. */
  valueOf(figure: number, sumAt: (place: number) => number): number | null {
    const { quotient = ratio } = this.figures[figure] as Figure;
    let [total, count, deciding] = [0, 0, 0];
    for (const first of this.groups[figure]?.values() ?? []) {
      deciding += sumAt(first + 2);
      const value = quotient(sumAt(first), sumAt(first + 1));
      if (value === null) continue;
      total += value;
      count++;
    }
    return deciding === 0 ? null : ratio(total, count);
  }
}

export class FigureSums {
  private readonly cells: FigureCells;
  private readonly sums = new Map<number, number>();

  constructor(private readonly figures: readonly Figure[]) {
    this.cells = new FigureCells(figures);
  }

  add(record: FigureRecord): void {
    this.cells.addTo(this.sums, record);
  }

  values(): FigureValues {
    const sumAt = (place: number): number => this.sums.get(place) ?? 0;
    return Object.fromEntries(this.figures.map(({ name }, i) => [name, this.cells.valueOf(i, sumAt)]));
  }
}
