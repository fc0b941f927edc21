/** The figures of a run for parts of its expressions: where it is good and where it is not. */
import type { Benchmark } from './benchmarks/benchmarks.js';
import { resultOf } from './records/record-figures.js';
import type { ExpressionRecord, Result } from './records/record-types.js';
import type { GresProtocol } from './metrics/gres-score.js';

export interface BreakdownGroup {
  readonly name: string;
  readonly result: Result;
}

export interface Breakdown {
  readonly title: string;
  /** Groups without expressions are left out. */
  readonly groups: readonly BreakdownGroup[];
}

export interface ImageFigures {
  readonly imageId: number;
  readonly fileName: string;
  readonly result: Result;
}

/** COCO's limits, in pixels. */
const SMALL = 32 ** 2;
const MEDIUM = 96 ** 2;
const QUANTILES = 4;

/** @param records by one protocol */
export function breakDown(
  benchmark: Benchmark,
  protocol: GresProtocol,
  records: readonly ExpressionRecord[],
): Breakdown[] {
  const divide = (
    title: string,
    names: readonly string[],
    groupOf: (record: ExpressionRecord) => number,
  ): Breakdown => {
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
export function imageFigures(
  benchmark: Benchmark,
  protocol: GresProtocol,
  records: readonly ExpressionRecord[],
): ImageFigures[] {
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
