/** The figures of recorded results: added up in the order of the images, so that they are those of the run itself. */
import { type Benchmark, benchmarkNamed, GRES } from '../benchmarks/benchmarks.js';
import { type FigureRecord, FigureSums, metricTitle } from '../figures.js';
import type { GresProtocol } from '../metrics/gres-score.js';
import type { RecordFile } from './record.js';
import type { ExpressionRecord, ImageRecord, RecordedFaults, RecordedResult } from './record-types.js';
import type { Refusal, RefusalCounts, Result } from './record-types.js';

export class ResultSums {
  private readonly gres = new FigureSums(GRES.figures);
  private readonly sums: FigureSums;
  private present = 0;
  private absent = 0;

  constructor(
    { figures }: Benchmark,
    readonly protocol: GresProtocol,
  ) {
    this.sums = new FigureSums(figures);
  }

  add(record: FigureRecord): void {
    if (record.targetIsEmpty) this.absent++;
    else this.present++;
    this.gres.add(record);
    this.sums.add(record);
  }

  result(): Result {
    const { protocol, present: presentTargets, absent: absentTargets } = this;
    const gres = this.gres.values() as Pick<Result, 'gIoU' | 'cIoU' | 'N_acc' | 'T_acc'>;
    const expressions = presentTargets + absentTargets;
    return { protocol, ...gres, expressions, presentTargets, absentTargets, figures: this.sums.values() };
  }
}

export function recordedResults({ header, images }: Pick<RecordFile, 'header' | 'images'>): RecordedResult[] {
  return header.protocols.map((protocol) => ({
    ...resultOf(benchmarkNamed(header.benchmark), protocol, recordsOf(images, protocol)),
    images: images.length,
  }));
}

export function resultOf(benchmark: Benchmark, protocol: GresProtocol, records: Iterable<FigureRecord>): Result {
  const sums = new ResultSums(benchmark, protocol);
  for (const record of records) sums.add(record);
  return sums.result();
}

export function recordsOf(images: readonly ImageRecord[], protocol: GresProtocol): ExpressionRecord[] {
  return images.flatMap(({ records }) => records.filter((record) => record.protocol === protocol));
}

export const NO_FAULTS: RecordedFaults = { unknown: 0, repeated: 0, unanswered: 0 };

export function addFaults(a: RecordedFaults, b: RecordedFaults): RecordedFaults {
  return { unknown: a.unknown + b.unknown, repeated: a.repeated + b.repeated, unanswered: a.unanswered + b.unanswered };
}

/** Faults of all free answers; null where none were asked for. */
export function recordedFaults(images: readonly ImageRecord[]): RecordedFaults | null {
  const all = images.flatMap(({ faults }) => (faults === null ? [] : [faults]));
  return all.length === 0 ? null : all.reduce(addFaults, NO_FAULTS);
}

export const NO_REFUSALS: RefusalCounts = { images: 0, expressions: 0, reasons: {} };

export function addRefusals(counts: RefusalCounts, refused: readonly Refusal[]): RefusalCounts {
  return refused.reduce(
    (sum, { index, reason }) => ({
      images: sum.images + Number(index === null),
      expressions: sum.expressions + Number(index !== null),
      reasons: { ...sum.reasons, [reason]: (sum.reasons[reason] ?? 0) + 1 },
    }),
    counts,
  );
}

export function recordedRefusals(images: readonly ImageRecord[]): RefusalCounts {
  return images.reduce((counts, { refused }) => addRefusals(counts, refused), NO_REFUSALS);
}

export function recordedSeconds(images: readonly ImageRecord[]): number {
  return images.reduce((sum, { seconds }) => sum + seconds, 0);
}

/** When the last image was done; when the run began where there is none. */
export function recordedEnd({ header, images }: Pick<RecordFile, 'header' | 'images'>): Date {
  return new Date(images.reduce((last, { date }) => Math.max(last, Date.parse(date)), Date.parse(header.date)));
}

/** For results of one benchmark. */
export function figureHead(results: readonly Result[]): string[] {
  const names = Object.keys(results[0]?.figures ?? {});
  return ['protocol', ...names.map(metricTitle), 'images', 'expressions'];
}

export function figureRow(result: RecordedResult): string[] {
  const figures = Object.values(result.figures).map((value) => (value === null ? '–' : value.toFixed(3)));
  return [result.protocol, ...figures, String(result.images), String(result.expressions)];
}

/** Images and expressions left out of the figures, in words; null where none is. */
export function refusedText({ images, expressions, reasons }: RefusalCounts): string | null {
  if (images + expressions === 0) return null;
  const why = Object.entries(reasons).map(([reason, count]) => `${reason}: ${count}`);
  return `left out of the figures: ${images} images, ${expressions} expressions (${why.join(', ')})`;
}

/** Faults of free answers that no figure shows, in words; null where there are none. */
export function faultsText(faults: RecordedFaults | null): string | null {
  if (faults === null || faults.unanswered + faults.repeated + faults.unknown === 0) return null;
  const { unanswered, repeated, unknown } = faults;
  return (
    `free answers: ${unanswered} expressions without an answer (counted as wrong), ${repeated} answered again (the first ` +
    `answer counts), ${unknown} answers that match no expression (not counted)`
  );
}
