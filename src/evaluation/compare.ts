/**
 * Differences of two runs over the same expressions, with 95 % intervals of the paired bootstrap: images are drawn with
 * replacement, both runs' results of an image together. Other seeds of training are not covered.
 */
import { UserError } from '../errors.js';
import { Random } from '../random.js';
import { benchmarkNamed } from './benchmarks/benchmarks.js';
import type { Figure, FigureRecord } from './figures.js';
import type { GresProtocol } from './metrics/gres-score.js';
import { recordsOf } from './records/record-figures.js';
import type { RecordFile, RecordHeader } from './records/record.js';
import type { ExpressionRecord, ImageRecord } from './records/record-types.js';

export interface FigureDifference {
  /** Name, as the benchmark has it. */
  readonly figure: string;
  readonly a: number | null;
  readonly b: number | null;
  /** b − a. */
  readonly difference: number | null;
  /** Interval of the difference; null where no resample had the figure. */
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

/** @throws UserError naming the first expression that only one run has, or where no protocol is common */
export function compareRuns(a: RecordFile, b: RecordFile, options: CompareOptions): Comparison[] {
  const protocols = a.header.protocols.filter((protocol) => b.header.protocols.includes(protocol));
  if (protocols.length === 0) {
    throw new UserError(
      `Comparing: ${a.path} was measured by ${a.header.protocols.join(', ')}, ${b.path} by ` +
        `${b.header.protocols.join(', ')}; there is none that both have. Measure one of them again.`,
    );
  }
  refuseOtherData(a, b);
  const { figures: compared } = benchmarkNamed(a.header.benchmark);
  return protocols.map((protocol) => {
    const [inA, inB] = [a, b].map(({ images }) => images.map((image) => recordsOf([image], protocol))) as [
      ExpressionRecord[][],
      ExpressionRecord[][],
    ];
    const expressions = inA.reduce((sum, records) => sum + records.length, 0);
    const figures = compareImages(compared, inA, inB, options);
    return { protocol, images: inA.length, expressions, figures };
  });
}

/** Settings that change the figures of one and the same model. */
const SETTINGS = ['question', 'rejectThreshold', 'minimumPixels'] as const satisfies (keyof RecordHeader)[];

export interface SettingDifference {
  readonly setting: (typeof SETTINGS)[number];
  readonly a: string | number | null;
  readonly b: string | number | null;
}

/** The settings in which two runs differ, besides the model: their figures differ by these as well. */
export function settingDifferences({ header: a }: RecordFile, { header: b }: RecordFile): SettingDifference[] {
  return SETTINGS.filter((setting) => a[setting] !== b[setting]).map((setting) => ({
    setting,
    a: a[setting],
    b: b[setting],
  }));
}

/** Sums of a figure's group: numerator, denominator and the number of expressions that decide it in a, then in b. */
const SUMS_OF_A_SIDE = 3;
const SUMS = 2 * SUMS_OF_A_SIDE;

/** @param a,b the results of each image */
export function compareImages(
  figures: readonly Figure[],
  a: readonly (readonly FigureRecord[])[],
  b: readonly (readonly FigureRecord[])[],
  { resamples, seed }: CompareOptions,
): FigureDifference[] {
  const random = new Random(seed);
  const cells = new Cells(figures);
  const images = a.map((records, i) => cells.sumsOf(records, b[i] ?? []));
  const differences = figures.map((): number[] => []);
  for (let i = 0; i < resamples; i++) {
    const drawn = new Float64Array(cells.count * SUMS);
    for (let n = 0; n < images.length; n++) addTo(drawn, images[random.integer(images.length)] as ImageSums);
    for (const [figure, list] of differences.entries()) {
      const difference = minus(cells.figureOf(drawn, figure, 'b'), cells.figureOf(drawn, figure, 'a'));
      if (difference !== null) list.push(difference);
    }
  }
  const total = new Float64Array(cells.count * SUMS);
  for (const image of images) addTo(total, image);
  return figures.map(({ name }, i) => {
    const [inA, inB] = [cells.figureOf(total, i, 'a'), cells.figureOf(total, i, 'b')];
    const sorted = Float64Array.from(differences[i] ?? []).sort();
    const interval = sorted.length === 0 ? null : ([percentile(sorted, 0.025), percentile(sorted, 0.975)] as const);
    return { figure: name, a: inA, b: inB, difference: minus(inB, inA), interval };
  });
}

/** Sums that an image adds to: only the places that it touches, as most images have few of all groups. */
interface ImageSums {
  readonly places: Int32Array;
  readonly values: Float64Array;
}

function addTo(sums: Float64Array, { places, values }: ImageSums): void {
  for (let k = 0; k < places.length; k++) {
    const place = places[k] as number;
    sums[place] = (sums[place] as number) + (values[k] as number);
  }
}

/** A cell is a group of a figure's expressions; it has SUMS sums. */
class Cells {
  private readonly byGroup: Map<string, number>[];
  count = 0;

  constructor(private readonly figures: readonly Figure[]) {
    this.byGroup = figures.map(() => new Map<string, number>());
  }

  sumsOf(a: readonly FigureRecord[], b: readonly FigureRecord[]): ImageSums {
    const sums = new Map<number, number>();
    const add = (place: number, value: number): void => {
      sums.set(place, (sums.get(place) ?? 0) + value);
    };
    for (const [side, records] of [a, b].entries()) {
      for (const record of records) {
        for (const [figure, { terms }] of this.figures.entries()) {
          const found = terms(record);
          if (found === null) continue;
          const first = this.cellOf(figure, found.group ?? '') * SUMS + SUMS_OF_A_SIDE * side;
          add(first, found.numerator);
          add(first + 1, found.denominator);
          add(first + 2, Number(found.decides ?? true));
        }
      }
    }
    return { places: Int32Array.from(sums.keys()), values: Float64Array.from(sums.values()) };
  }

  /** The mean of the groups' quotients, as `FigureSums` has it. */
  figureOf(sums: Float64Array, figure: number, side: 'a' | 'b'): number | null {
    const { quotient = (a: number, b: number): number => a / b } = this.figures[figure] as Figure;
    let [total, groups, deciding] = [0, 0, 0];
    for (const cell of this.byGroup[figure]?.values() ?? []) {
      const first = cell * SUMS + (side === 'a' ? 0 : SUMS_OF_A_SIDE);
      const denominator = sums[first + 1] as number;
      deciding += sums[first + 2] as number;
      if (denominator === 0) continue;
      total += quotient(sums[first] as number, denominator);
      groups++;
    }
    return groups === 0 || deciding === 0 ? null : total / groups;
  }

  private cellOf(figure: number, group: string): number {
    const groups = this.byGroup[figure] as Map<string, number>;
    const cell = groups.get(group) ?? this.count++;
    groups.set(group, cell);
    return cell;
  }
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
  for (const key of ['dataset', 'split', 'benchmark', 'honourIgnore', 'images'] as const) {
    if (a.header[key] !== b.header[key]) refuse(`${key} is ${String(a.header[key])} and ${String(b.header[key])}`);
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
