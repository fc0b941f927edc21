/**
 * Where a run is good and where it is not: its figures for parts of its expressions, and its failures, one kind per
 * expression, with their cost in gIoU, (1 − IoU) / expressions; all add up to 1 − gIoU.
 */
import type { Benchmark } from './benchmarks/benchmarks.js';
import { resultOf } from './records/record-figures.js';
import type { ExpressionRecord } from './records/record-types.js';
import type { GresProtocol } from './metrics/gres-score.js';

/** COCO's limits, in pixels. */
const SMALL = 32 ** 2;
const MEDIUM = 96 ** 2;
const QUANTILES = 4;

/** @param records by one protocol @returns groups by title; those without expressions are left out */
export function breakDown(benchmark: Benchmark, protocol: GresProtocol, records: readonly ExpressionRecord[]) {
  const divide = (title: string, names: readonly string[], groupOf: (record: ExpressionRecord) => number) => {
    const groups = names.map((): ExpressionRecord[] => []);
    for (const record of records) groups[groupOf(record)]?.push(record);
    return {
      title,
      groups: groups.flatMap((members, i) =>
        members.length === 0 ? [] : [{ name: names[i] as string, result: resultOf(benchmark, protocol, members) }],
      ),
    };
  };
  const shares = records.filter(isPresent).map(shareOfImage);
  const limits = quantiles(shares);
  const bounds = [0, ...limits, shares.reduce((most, share) => Math.max(most, share), 0)].map(
    (share) => `${(100 * share).toFixed(1)} %`,
  );
  const quarters = Array.from({ length: QUANTILES }, (_, i) => `quarter ${i + 1}: ${bounds[i]} – ${bounds[i + 1]}`);
  return [
    divide('Number of targets', ['none', 'one', 'two', 'three or more'], ({ targets }) => Math.min(3, targets)),
    divide('Words in the expression', ['1', '2–3', '4–6', '7–10', '11 or more'], ({ expression }) => {
      const words = wordsIn(expression);
      return [1, 3, 6, 10, Infinity].findIndex((most) => words <= most);
    }),
    divide(
      "Size of the target (COCO's limits)",
      ['small: below 32² pixels', 'medium: below 96² pixels', 'large'],
      // −1 is no group.
      (record) => (!isPresent(record) ? -1 : record.targetArea < SMALL ? 0 : record.targetArea < MEDIUM ? 1 : 2),
    ),
    divide('Size of the target (share of the image)', quarters, (record) =>
      isPresent(record) ? limits.filter((limit) => shareOfImage(record) > limit).length : -1,
    ),
  ];
}

/** Each image, the worst gIoU first; ties in the order of the split. */
export function imageFigures(benchmark: Benchmark, protocol: GresProtocol, records: readonly ExpressionRecord[]) {
  const byImage = new Map<number, ExpressionRecord[]>();
  for (const record of records) {
    const list = byImage.get(record.imageId);
    if (list) list.push(record);
    else byImage.set(record.imageId, [record]);
  }
  return [...byImage]
    .map(([imageId, members]) => {
      return { imageId, fileName: members[0]?.fileName ?? '', result: resultOf(benchmark, protocol, members) };
    })
    .sort((a, b) => (a.result.gIoU ?? 0) - (b.result.gIoU ?? 0));
}

export function wordsIn(expression: string): number {
  return expression.split(/\s+/).filter((word) => word !== '').length;
}

function isPresent({ targetIsEmpty }: ExpressionRecord): boolean {
  return !targetIsEmpty;
}

function shareOfImage({ targetArea, height, width }: ExpressionRecord): number {
  return targetArea / (height * width);
}

/** The limits that divide the values into QUANTILES parts of equal size, as far as equal values allow. */
function quantiles(values: readonly number[]): number[] {
  const sorted = [...values].sort((a, b) => a - b);
  return Array.from({ length: QUANTILES - 1 }, (_, i) => {
    return sorted[Math.ceil(((i + 1) * sorted.length) / QUANTILES) - 1] ?? 0;
  });
}

/** From the first that fits; 'inexact' is what remains. */
export const FAILURE_MEANING = {
  'false reject': 'the target is there, [REJ] was answered',
  'false accept': 'the target is absent, [SEG] was answered',
  unanswered: 'neither [SEG] nor [REJ] was answered',
  'merged instances': 'half of another target that was asked for on the image is covered as well',
  'wrong instance': 'half of another target is covered, of the own one less than half',
  missed: 'less than a tenth of the target is covered',
  boundary: 'the target is found, most wrong pixels lie within a few pixels of its contour',
  inexact: 'the target is found; parts are missing, or there is too much',
} as const;
export type FailureKind = keyof typeof FAILURE_MEANING;
export const FAILURE_KINDS = Object.keys(FAILURE_MEANING) as FailureKind[];

export interface Failure {
  readonly kind: FailureKind;
  /** Share of gIoU that it costs. */
  readonly cost: number;
  readonly record: ExpressionRecord;
}

const COVERED = 0.5;
const MISSED = 0.1;

/** @param records by one protocol. @returns the dearest first; ties in their order */
export function findFailures(records: readonly ExpressionRecord[]): Failure[] {
  return records
    .flatMap((record) => {
      const kind = failureOf(record);
      return kind === null ? [] : [{ kind, cost: (1 - record.iou) / records.length, record }];
    })
    .sort((a, b) => b.cost - a.cost);
}

/** Every kind that occurs, the dearest first. */
export function summarizeFailures(failures: readonly Failure[]): (Omit<Failure, 'record'> & { count: number })[] {
  return FAILURE_KINDS.map((kind) => {
    const own = failures.filter((failure) => failure.kind === kind);
    return { kind, count: own.length, cost: own.reduce((sum, { cost }) => sum + cost, 0) };
  })
    .filter(({ count }) => count > 0)
    .sort((a, b) => b.cost - a.cost);
}

/** Null where nothing is lost. */
export function failureOf(record: ExpressionRecord): FailureKind | null {
  if (record.iou === 1) return null;
  if (record.answer === 'none') return 'unanswered';
  if (record.targetIsEmpty) return 'false accept';
  if (record.answer === 'absent') return 'false reject';
  const covered = record.intersection / record.targetArea;
  if (record.other !== null && record.other.share >= COVERED) {
    return covered >= COVERED ? 'merged instances' : 'wrong instance';
  }
  if (covered < MISSED) return 'missed';
  const wrongPixels = record.union - record.intersection;
  return (record.boundaryErrors ?? 0) > wrongPixels / 2 && covered >= COVERED ? 'boundary' : 'inexact';
}
