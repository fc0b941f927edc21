/** The figures of recorded results: added up in the order of the images, so that they are those of the run itself. */
import { GresMetric, type GresProtocol, type GresResult } from './metrics/gres-metric.js';
import type { ExpressionRecord, ImageRecord, RecordedFaults, RecordFile } from './record.js';

export type RecordedResult = GresResult & { readonly images: number };

/** One result per protocol of the run. */
export function recordedResults({ header, images }: Pick<RecordFile, 'header' | 'images'>): RecordedResult[] {
  return header.protocols.map((protocol) => ({
    ...resultOf(protocol, recordsOf(images, protocol)),
    images: images.length,
  }));
}

export function resultOf(protocol: GresProtocol, records: Iterable<ExpressionRecord>): GresResult {
  const metric = new GresMetric(protocol);
  for (const record of records) metric.addScore(record);
  return metric.result();
}

/** All results by one protocol, image after image. */
export function recordsOf(images: readonly ImageRecord[], protocol: GresProtocol): ExpressionRecord[] {
  return images.flatMap(({ records }) => records.filter((record) => record.protocol === protocol));
}

/** Of all free answers together; null where none were asked for. */
export function recordedFaults(images: readonly ImageRecord[]): RecordedFaults | null {
  const all = images.flatMap(({ faults }) => (faults === null ? [] : [faults]));
  if (all.length === 0) return null;
  const sum = (key: keyof RecordedFaults): number => all.reduce((total, faults) => total + faults[key], 0);
  return { unknown: sum('unknown'), repeated: sum('repeated'), unanswered: sum('unanswered') };
}

/** Wall time of all images. */
export function recordedSeconds(images: readonly ImageRecord[]): number {
  return images.reduce((sum, { seconds }) => sum + seconds, 0);
}

/** When the last image was done; when the run began where there is none. */
export function recordedEnd({ header, images }: Pick<RecordFile, 'header' | 'images'>): Date {
  return new Date(images.reduce((last, { date }) => Math.max(last, Date.parse(date)), Date.parse(header.date)));
}
