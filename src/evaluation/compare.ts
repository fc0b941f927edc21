/**
 * Two runs over the same expressions: the differences of their figures, each with a 95 % interval by the paired
 * bootstrap. Images are drawn anew with replacement, both runs' results of an image together (its expressions share
 * one conversation and are not independent); the interval is between the 2.5th and 97.5th percentile of the
 * differences that come out. It says how far the difference may be chance of the choice of images, and nothing of
 * other seeds of training.
 */
import { UserError } from '../errors.js';
import { Random } from '../random.js';
import { ratio } from './metrics/mask-overlap.js';
import type { GresProtocol } from './metrics/gres-metric.js';
import { recordsOf } from './record-figures.js';
import type { ExpressionRecord, ImageRecord, RecordFile } from './record.js';

export const COMPARED_FIGURES = ['gIoU', 'cIoU', 'N_acc', 'T_acc'] as const;
export type ComparedFigure = (typeof COMPARED_FIGURES)[number];

export interface FigureDifference {
  readonly figure: ComparedFigure;
  readonly a: number | null;
  readonly b: number | null;
  /** b − a. */
  readonly difference: number | null;
  /** Of the difference, from and to; null where no resample had the figure. */
  readonly interval: readonly [number, number] | null;
}

export interface Comparison {
  readonly protocol: GresProtocol;
  readonly images: number;
  readonly expressions: number;
  readonly figures: readonly FigureDifference[];
}

export interface CompareOptions {
  readonly resamples: number;
  readonly seed: number;
}

/** Two numbers of each figure that are added up over images and divided: iou/expressions, intersection/union, … */
const SUMS = 2 * COMPARED_FIGURES.length;

/**
 * Compares by every protocol that both runs have.
 * @throws UserError that names the first expression that only one of them has, or where no protocol is common
 */
export function compareRuns(a: RecordFile, b: RecordFile, options: CompareOptions): Comparison[] {
  const protocols = a.header.protocols.filter((protocol) => b.header.protocols.includes(protocol));
  if (protocols.length === 0) {
    throw new UserError(
      `Comparing: ${a.path} was measured by ${a.header.protocols.join(', ')}, ${b.path} by ` +
        `${b.header.protocols.join(', ')}; there is none that both have. Measure one of them again.`,
    );
  }
  refuseOtherData(a, b);
  return protocols.map((protocol) => {
    const [inA, inB] = [a, b].map(({ images }) => images.map((image) => recordsOf([image], protocol))) as [
      ExpressionRecord[][],
      ExpressionRecord[][],
    ];
    const expressions = inA.reduce((sum, records) => sum + records.length, 0);
    const figures = compareImages(inA.map(sumsOf), inB.map(sumsOf), options);
    return { protocol, images: inA.length, expressions, figures };
  });
}

/** @param a,b what each image adds to the SUMS sums. */
export function compareImages(
  a: readonly Float64Array[],
  b: readonly Float64Array[],
  { resamples, seed }: CompareOptions,
): FigureDifference[] {
  const random = new Random(seed);
  const differences = COMPARED_FIGURES.map((): number[] => []);
  const pairs = a.length;
  // [images, 2, SUMS] in one piece: this loop is all the work.
  const both = new Float64Array(pairs * 2 * SUMS);
  for (let image = 0; image < pairs; image++) {
    both.set(a[image] as Float64Array, image * 2 * SUMS);
    both.set(b[image] as Float64Array, image * 2 * SUMS + SUMS);
  }
  const drawn = new Float64Array(2 * SUMS);
  for (let i = 0; i < resamples; i++) {
    drawn.fill(0);
    for (let n = 0; n < pairs; n++) {
      const start = random.integer(pairs) * 2 * SUMS;
      for (let k = 0; k < 2 * SUMS; k++) drawn[k] = (drawn[k] as number) + (both[start + k] as number);
    }
    for (const [figure, list] of differences.entries()) {
      const difference = minus(figureOf(drawn, SUMS, figure), figureOf(drawn, 0, figure));
      if (difference !== null) list.push(difference);
    }
  }
  const total = new Float64Array(2 * SUMS);
  for (const [i, value] of both.entries()) total[i % total.length] = (total[i % total.length] as number) + value;
  return COMPARED_FIGURES.map((figure, i) => {
    const [inA, inB] = [figureOf(total, 0, i), figureOf(total, SUMS, i)];
    const sorted = Float64Array.from(differences[i] ?? []).sort();
    const interval = sorted.length === 0 ? null : ([percentile(sorted, 0.025), percentile(sorted, 0.975)] as const);
    return { figure, a: inA, b: inB, difference: minus(inB, inA), interval };
  });
}

/** Numerator and denominator of every figure, for one image's results by one protocol. */
export function sumsOf(records: readonly ExpressionRecord[]): Float64Array {
  const sums = new Float64Array(SUMS);
  for (const { iou, intersection, union, targetIsEmpty, decisionIsRight } of records) {
    const right = Number(decisionIsRight);
    addTo(sums, [iou, 1, intersection, union, ...(targetIsEmpty ? [right, 1, 0, 0] : [0, 0, right, 1])]);
  }
  return sums;
}

function addTo(sums: Float64Array, values: readonly number[]): void {
  for (const [i, value] of values.entries()) sums[i] = (sums[i] as number) + value;
}

function figureOf(sums: Float64Array, start: number, figure: number): number | null {
  return ratio(sums[start + 2 * figure] as number, sums[start + 2 * figure + 1] as number);
}

function minus(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : a - b;
}

/** With linear interpolation between neighbours, as numpy has it. */
function percentile(sorted: Float64Array, share: number): number {
  const place = share * (sorted.length - 1);
  const below = Math.floor(place);
  const [low, high] = [sorted[below] as number, sorted[Math.min(below + 1, sorted.length - 1)] as number];
  return low + (high - low) * (place - below);
}

function refuseOtherData(a: RecordFile, b: RecordFile): void {
  const refuse = (what: string): never => {
    throw new UserError(
      `Comparing ${a.path} and ${b.path}: ${what}. Only runs over the same expressions are compared.`,
    );
  };
  for (const key of ['dataset', 'split', 'images'] as const) {
    if (a.header[key] !== b.header[key]) refuse(`${key} is ${a.header[key]} and ${b.header[key]}`);
  }
  for (const [i, image] of a.images.entries()) {
    const other = b.images[i] as ImageRecord;
    if (image.imageId !== other.imageId) refuse(`image ${i} is ${image.fileName} and ${other.fileName}`);
    const [inA, inB] = [a, b].map(({ header: { protocols } }, side) =>
      recordsOf([side === 0 ? image : other], protocols[0] as GresProtocol),
    ) as [ExpressionRecord[], ExpressionRecord[]];
    for (let k = 0; k < Math.max(inA.length, inB.length); k++) {
      const [x, y] = [inA[k], inB[k]];
      if (x?.expression === y?.expression && x?.targetArea === y?.targetArea) continue;
      const said = [x, y].map((each) =>
        each === undefined
          ? 'missing'
          : `${JSON.stringify(each.expression)} with a target of ${each.targetArea} pixels`,
      );
      refuse(`expression ${k + 1} of ${image.fileName} is ${said.join(' and ')}`);
    }
  }
}
