/** Failures, one kind per expression, and their cost in gIoU, (1 − IoU) / expressions; all add up to 1 − gIoU. */
import type { ExpressionRecord } from './records/record-types.js';

/** From the first that fits; 'inexact' is what remains. */
export const FAILURE_KINDS = [
  'false reject',
  'false accept',
  'unanswered',
  'merged instances',
  'wrong instance',
  'missed',
  'boundary',
  'inexact',
] as const;
export type FailureKind = (typeof FAILURE_KINDS)[number];

export const FAILURE_MEANING: Readonly<Record<FailureKind, string>> = {
  'false reject': 'the target is there, [REJ] was answered',
  'false accept': 'the target is absent, [SEG] was answered',
  unanswered: 'neither [SEG] nor [REJ] was answered',
  'merged instances': 'half of another target that was asked for on the image is covered as well',
  'wrong instance': 'half of another target is covered, of the own one less than half',
  missed: 'less than a tenth of the target is covered',
  boundary: 'the target is found, most wrong pixels lie within a few pixels of its contour',
  inexact: 'the target is found; parts are missing, or there is too much',
};

export interface Failure {
  readonly kind: FailureKind;
  /** Share of gIoU that it costs. */
  readonly cost: number;
  readonly record: ExpressionRecord;
}

export interface FailureSummary {
  readonly kind: FailureKind;
  readonly count: number;
  readonly cost: number;
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
export function summarizeFailures(failures: readonly Failure[]): FailureSummary[] {
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
