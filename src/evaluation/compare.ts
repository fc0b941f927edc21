/**
 * Differences of two runs over the same expressions, with 95 % intervals of the paired bootstrap: images are drawn with
 * replacement, both runs' results of an image together. Other seeds of training are not covered.
 */
import { UserError } from '../errors.js';
import { Random } from '../random.js';
import { benchmarkNamed } from './benchmarks/benchmarks.js';
import { type Figure, FigureCells, type FigureRecord, metricTitle } from './figures.js';
import type { GresProtocol } from './metrics/gres-score.js';
import { recordsOf } from './records/record-figures.js';
import type { RecordFile, RecordHeader } from './records/record.js';
import type { ImageRecord } from './records/record-types.js';
import type { PageSection } from './report/write-report.js';

export interface FigureDifference {
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
    const byImage = ({ images }: RecordFile) => images.map((image) => recordsOf([image], protocol));
    const [inA, inB] = [byImage(a), byImage(b)];
    const expressions = inA.reduce((sum, records) => sum + records.length, 0);
    const figures = compareImages(compared, inA, inB, options);
    return { protocol, images: inA.length, expressions, figures };
  });
}

/** Settings that change the figures of one and the same model. */
const SETTINGS = ['question', 'rejectThreshold', 'minimumPixels'] as const satisfies (keyof RecordHeader)[];

/** The settings in which two runs differ, besides the model: their figures differ by these as well. */
export function settingDifferences({ header: a }: RecordFile, { header: b }: RecordFile) {
  return SETTINGS.filter((setting) => a[setting] !== b[setting]).map((setting) => {
    return { setting, a: a[setting], b: b[setting] };
  });
}

/** @param a,b the results of each image */
export function compareImages(
  figures: readonly Figure[],
  a: readonly (readonly FigureRecord[])[],
  b: readonly (readonly FigureRecord[])[],
  { resamples, seed }: CompareOptions,
): FigureDifference[] {
  const random = new Random(seed);
  const cells = new FigureCells(figures);
  const images = a.map((records, i) => [sumsOf(cells, records), sumsOf(cells, b[i] ?? [])] as const);
  const valuesOf = (drawn: Iterable<(typeof images)[number]>): [a: number | null, b: number | null][] => {
    const sums = [new Float64Array(cells.size), new Float64Array(cells.size)] as const;
    for (const image of drawn) for (const side of SIDES) addTo(sums[side], image[side]);
    return figures.map((_, i) => {
      const [inA, inB] = sums.map((own) => cells.valueOf(i, (place) => own[place] as number));
      return [inA ?? null, inB ?? null];
    });
  };
  const differences = figures.map((): number[] => []);
  for (let i = 0; i < resamples; i++) {
    const drawn = images.map(() => images[random.integer(images.length)] as (typeof images)[number]);
    for (const [figure, [inA, inB]] of valuesOf(drawn).entries()) {
      if (inA !== null && inB !== null) differences[figure]?.push(inB - inA);
    }
  }
  return valuesOf(images).map(([inA, inB], i) => {
    const sorted = Float64Array.from(differences[i] ?? []).sort();
    const interval = sorted.length === 0 ? null : ([percentile(sorted, 0.025), percentile(sorted, 0.975)] as const);
    const difference = inA === null || inB === null ? null : inB - inA;
    return { figure: (figures[i] as Figure).name, a: inA, b: inB, difference, interval };
  });
}

const SIDES = [0, 1] as const;

/** Sums that an image adds to: only the places that it touches, as most images have few of all groups. */
interface ImageSums {
  readonly places: Int32Array;
  readonly values: Float64Array;
}

function sumsOf(cells: FigureCells, records: readonly FigureRecord[]): ImageSums {
  const sums = new Map<number, number>();
  for (const record of records) cells.addTo(sums, record);
  return { places: Int32Array.from(sums.keys()), values: Float64Array.from(sums.values()) };
}

function addTo(sums: Float64Array, { places, values }: ImageSums): void {
  for (let k = 0; k < places.length; k++) {
    const place = places[k] as number;
    sums[place] = (sums[place] as number) + (values[k] as number);
  }
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
  const firstOf = ({ header: { protocols } }: RecordFile, image: ImageRecord) =>
    recordsOf([image], protocols[0] as GresProtocol);
  for (const key of ['dataset', 'split', 'benchmark', 'honourIgnore', 'images'] as const) {
    if (a.header[key] !== b.header[key]) refuse(`${key} is ${String(a.header[key])} and ${String(b.header[key])}`);
  }
  for (const [i, image] of a.images.entries()) {
    const other = b.images[i] as ImageRecord;
    if (image.imageId !== other.imageId) refuse(`image ${i} is ${image.fileName} and ${other.fileName}`);
    const [inA, inB] = [firstOf(a, image), firstOf(b, other)];
    for (let k = 0; k < Math.max(inA.length, inB.length); k++) {
      const [x, y] = [inA[k], inB[k]];
      if (x?.expression === y?.expression && x?.targetArea === y?.targetArea) continue;
      const said = [x, y].map((each) => {
        if (each === undefined) return 'missing';
        return `${JSON.stringify(each.expression)} with a target of ${each.targetArea} pixels`;
      });
      refuse(`expression ${k + 1} of ${image.fileName} is ${said.join(' and ')}`);
    }
  }
}

/** As options of `gsva eval`. */
export function settingWords({ setting, a, b }: ReturnType<typeof settingDifferences>[number]): string {
  const option = { question: '--question', rejectThreshold: '--reject-threshold', minimumPixels: '--minimum-pixels' };
  const [inA, inB] = [a, b].map((value) => (value === null ? 'none' : String(value)));
  return `${option[setting]} ${inA} in a, ${inB} in b`;
}

export function recordsSection({ protocol, images, expressions, figures }: Comparison): PageSection {
  return {
    title: `${protocol}: ${images} images, ${expressions} expressions`,
    notes: [],
    table: { head: ['', 'a', 'b', 'b − a', '95 % interval'], rows: figures.map(differenceRow), left: 1 },
    plots: [],
  };
}

function differenceRow({ figure, a, b, difference, interval }: FigureDifference): string[] {
  const plain = (value: number | null): string => (value === null ? '–' : value.toFixed(4));
  const between = interval === null ? '–' : interval.map(signed).join(' to ');
  return [metricTitle(figure), plain(a), plain(b), difference === null ? '–' : signed(difference), between];
}

function signed(value: number): string {
  return `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(4)}`;
}
