/**
 * Looks at the updates of a run for signs that it does not learn. Each alarm is given once in a run.
 *
 * - **no gradient**: a part of the model had none in 10 measured updates in a row. Where it has had some before, in a
 *   share p of the measured updates (masks are not in every batch), chance alone must make such a row, (1 - p)ⁿ, rarer
 *   than one in 10,000. A part is looked at as a whole: LoRA's A has gradient zero as long as B is zero, B has not.
 * - **flat loss**: the latest losses are not below the first ones after the warm-up, by the one-sided rank test of Mann
 *   and Whitney (1947) at 1 %. Ranks make it free of scale, and of outliers. It compares with the beginning and not with
 *   what was just before, so that a run that has learned and has converged gives no alarm; nor does one whose loss is
 *   near zero. It is first made after three stretches, and again after each further one.
 * - **exploding gradient**: in 5 updates in a row the norm was above 100 times the median of the 100 before. (One that is
 *   not finite stops the run, see update-step.ts.)
 */
import { TOTAL_LOSS } from '../../nn/loss-parts.js';
import { FLAT_WINDOW } from '../config/training-config.js';
import type { AlarmKind, AlarmRecord, LogRecord, UpdateRecord } from './run-log.js';

const ROW_WITHOUT_GRADIENT = 10;
const RARE = 1e-4;
const SIGNIFICANT = 0.01;
/** Total loss below which a plateau is not reported: the remaining improvement is smaller than the noise. */
const NEAR_ZERO = 0.01;
const EXPLODED = 100;
const EXPLODED_ROW = 5;
const NORMS_BEFORE = 100;

interface PartCourse {
  /** Measured updates, those with a gradient, and those without one since the last. */
  watched: number;
  withGradient: number;
  row: number;
}

export class LearningWatch {
  private readonly said = new Set<string>();
  private readonly parts = new Map<string, PartCourse>();
  private readonly firstLosses: number[] = [];
  private readonly lastLosses: number[] = [];
  /** Losses after the warm-up. */
  private losses = 0;
  /** Norms of the updates before the present row of high ones. */
  private readonly norms: number[] = [];
  private highRow = 0;

  constructor(
    private readonly warmupUpdates: number,
    private readonly flatWindow = FLAT_WINDOW,
  ) {}

  /** Takes over the state of an interrupted run from its log's records, in order. */
  remember(records: readonly LogRecord[]): void {
    for (const record of records) {
      if (record.type === 'update') this.look(record);
      if (record.type === 'alarm') this.said.add(keyOf(record.kind, record.part));
    }
  }

  /** Alarms after one more update that were not given before. */
  alarmsAfter(record: UpdateRecord): AlarmRecord[] {
    return this.look(record).filter(({ kind, part }) => {
      const key = keyOf(kind, part);
      const isNew = !this.said.has(key);
      this.said.add(key);
      return isNew;
    });
  }

  private look(record: UpdateRecord): AlarmRecord[] {
    const found = [...this.withoutGradient(record), this.flatLoss(record), this.exploding(record)];
    return found.filter((alarm) => alarm !== null);
  }

  private withoutGradient({ update, parts = {} }: UpdateRecord): AlarmRecord[] {
    return Object.entries(parts).flatMap(([part, { gradNorm }]) => {
      const course = this.parts.get(part) ?? { watched: 0, withGradient: 0, row: 0 };
      this.parts.set(part, course);
      const share = course.withGradient / Math.max(1, course.watched - course.row);
      course.watched += 1;
      course.withGradient += Number(gradNorm > 0);
      course.row = gradNorm > 0 ? 0 : course.row + 1;
      const isByChance = course.withGradient > 0 && (1 - share) ** course.row >= RARE;
      if (course.row < ROW_WITHOUT_GRADIENT || isByChance) return [];
      const message =
        `"${part}" trains, but had no gradient in the last ${course.row} updates that were measured. Is it cut off from ` +
        'the loss, does the data lack what it learns from (masks, for mask_decoder and psi), or is its loss ' +
        'weighted with 0?';
      return [alarm(update, 'no gradient', part, message)];
    });
  }

  private flatLoss({ update, losses }: UpdateRecord): AlarmRecord | null {
    const loss = losses[TOTAL_LOSS];
    const length = this.flatWindow;
    if (length === 0 || loss === undefined || update <= this.warmupUpdates) return null;
    this.losses += 1;
    if (this.firstLosses.length < length) this.firstLosses.push(loss);
    this.lastLosses.push(loss);
    if (this.lastLosses.length > length) this.lastLosses.shift();
    if (this.losses < 3 * length || this.losses % length !== 0) return null;
    const [first, last] = [medianOf(this.firstLosses), medianOf(this.lastLosses)];
    if (last < NEAR_ZERO || chanceOfLower(this.lastLosses, this.firstLosses) < SIGNIFICANT) return null;
    const message =
      `The loss does not fall: its median was ${first.toPrecision(3)} in the first ${length} updates after the warm-up, ` +
      `and is ${last.toPrecision(3)} in the last ${length}. Look at the learning rate (the update ratios of the parts ` +
      'should be about 1e-3), at the samples and their answers, and try --overfit 4.';
    return alarm(update, 'flat loss', null, message);
  }

  private exploding({ update, gradNorm }: UpdateRecord): AlarmRecord | null {
    const usual = this.norms.length < NORMS_BEFORE ? Infinity : medianOf(this.norms);
    if (gradNorm <= EXPLODED * usual) {
      this.highRow = 0;
      this.norms.push(gradNorm);
      if (this.norms.length > NORMS_BEFORE) this.norms.shift();
      return null;
    }
    this.highRow += 1;
    if (this.highRow < EXPLODED_ROW) return null;
    const message =
      `The gradients explode: their norm was ${usual.toPrecision(3)}, and is above ${EXPLODED} times that in ` +
      `${this.highRow} updates in a row, now ${gradNorm.toPrecision(3)}. Lower the learning rate, make the warm-up ` +
      'longer, or set training.optimizer.clipNorm.';
    return alarm(update, 'exploding gradient', null, message);
  }
}

function alarm(update: number, kind: AlarmKind, part: string | null, message: string): AlarmRecord {
  return { type: 'alarm', update, kind, part, message };
}

function keyOf(kind: AlarmKind, part: string | null): string {
  return `${kind}: ${part ?? ''}`;
}

/** Statistics of noisy curves that know nothing of their scale. */

export function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low = NaN, high = NaN] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return (low + high) / 2;
}

/** Rank test of Mann & Whitney (1947), normal approximation with ties: small where `values` are below `others`. */
export function chanceOfLower(values: readonly number[], others: readonly number[]): number {
  const all = [...values.map((value) => ({ value, own: 1 })), ...others.map((value) => ({ value, own: 0 }))];
  all.sort((a, b) => a.value - b.value);
  const [n, m, size] = [values.length, others.length, all.length];
  let ranks = 0;
  let ties = 0;
  for (let first = 0; first < size;) {
    let end = first + 1;
    while (end < size && all[end]?.value === all[first]?.value) end++;
    const rank = (first + 1 + end) / 2;
    for (let i = first; i < end; i++) ranks += (all[i]?.own ?? 0) * rank;
    ties += (end - first) ** 3 - (end - first);
    first = end;
  }
  const u = ranks - (n * (n + 1)) / 2;
  const variance = ((n * m) / 12) * (size + 1 - ties / (size * (size - 1)));
  if (variance <= 0) return 1;
  return normalBelow((u + 0.5 - (n * m) / 2) / Math.sqrt(variance));
}

/** Φ, to 1e-7 (Abramowitz & Stegun, 26.2.17). */
function normalBelow(z: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(z));
  const sum = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  const tail = (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * sum;
  return z < 0 ? tail : 1 - tail;
}
