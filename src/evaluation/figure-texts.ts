/** Figures of an evaluation as texts: rows of tables, and sentences on omissions. */
import { metricTitle } from './figures.js';
import type { RecordedResult, Result } from './records/record-figures.js';
import type { RecordedFaults, RefusalCounts } from './records/record.js';

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
