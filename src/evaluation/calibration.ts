/**
 * Calibration of [REJ]: a threshold t has an N-acc (absent, p ≥ t) and a T-acc (present, p < t); the area under this
 * curve is the chance that an absent target has the higher probability. The best threshold maximises (N-acc + T-acc) /
 * 2. Of an interval of equal thresholds 0.5 is taken, else the middle; of equally good intervals the one nearest to
 * 0.5.
 */
import { UserError } from '../errors.js';
import type { ExpressionRecord } from './records/record-types.js';

/** Probability of [REJ] against [SEG], in [0, 1], of an absent or a present target. */
export type Decision = Pick<ExpressionRecord, 'targetIsEmpty'> & { readonly rejectProbability: number };

export interface CurvePoint {
  /** The thresholds in (above, upTo] decide alike. `upTo` is Infinity where nothing is rejected any more. */
  readonly above: number;
  readonly upTo: number;
  readonly N_acc: number;
  readonly T_acc: number;
}

export interface Calibration {
  /** From rejecting everything to rejecting nothing. */
  readonly curve: readonly CurvePoint[];
  /** Under N-acc over T-acc, in [0, 1]; 0.5 for a guess. */
  readonly area: number;
  readonly best: { readonly threshold: number; readonly N_acc: number; readonly T_acc: number };
  /** The same at 0.5, for comparison. */
  readonly standard: { readonly N_acc: number; readonly T_acc: number };
  readonly decisions: number;
  /** Expressions for which the model came to no decision. */
  readonly undecided: number;
}

const STANDARD = 0.5;

/** @throws UserError for an invalid probability @returns null unless absent and present targets were decided */
export function calibrate(
  records: Iterable<Pick<ExpressionRecord, 'rejectProbability' | 'targetIsEmpty'>>,
): Calibration | null {
  const decisions: Decision[] = [];
  let undecided = 0;
  for (const { rejectProbability, targetIsEmpty } of records) {
    if (rejectProbability === null) undecided++;
    else if (rejectProbability >= 0 && rejectProbability <= 1) decisions.push({ rejectProbability, targetIsEmpty });
    // Sorting would leave NaN anywhere, and thresholds with it.
    else {
      throw new UserError(
        `Calibrating: a record's probability of [REJ] is ${rejectProbability}, expected from 0 to 1.`,
      );
    }
  }
  const curve = sweep(decisions);
  if (curve === null) return null;
  const standard = curve.find(({ above, upTo }) => above < STANDARD && STANDARD <= upTo) as CurvePoint;
  return {
    curve,
    area: areaUnder(curve),
    best: bestOf(curve),
    standard: { N_acc: standard.N_acc, T_acc: standard.T_acc },
    decisions: decisions.length,
    undecided,
  };
}

/** A point for every interval of thresholds that decide alike. */
function sweep(decisions: readonly Decision[]): CurvePoint[] | null {
  const sorted = [...decisions].sort((a, b) => a.rejectProbability - b.rejectProbability);
  const absent = sorted.filter(({ targetIsEmpty }) => targetIsEmpty).length;
  const present = sorted.length - absent;
  if (absent === 0 || present === 0) return null;
  let [rejectedAbsent, acceptedPresent] = [absent, 0];
  const points: CurvePoint[] = [];
  let above = -Infinity;
  for (let i = 0; i <= sorted.length;) {
    const upTo = sorted[i]?.rejectProbability ?? Infinity;
    points.push({ above, upTo, N_acc: rejectedAbsent / absent, T_acc: acceptedPresent / present });
    if (upTo === Infinity) break;
    for (; sorted[i]?.rejectProbability === upTo; i++) {
      if (sorted[i]?.targetIsEmpty === true) rejectedAbsent--;
      else acceptedPresent++;
    }
    above = upTo;
  }
  return points;
}

/** By trapezoids; T-acc grows from 0 to 1 along the curve. */
function areaUnder(curve: readonly CurvePoint[]): number {
  let area = 0;
  for (let i = 1; i < curve.length; i++) {
    const [a, b] = [curve[i - 1] as CurvePoint, curve[i] as CurvePoint];
    area += ((a.N_acc + b.N_acc) / 2) * (b.T_acc - a.T_acc);
  }
  return area;
}

function bestOf(curve: readonly CurvePoint[]): Calibration['best'] {
  let best: Calibration['best'] | null = null;
  for (const { above, upTo, N_acc, T_acc } of curve) {
    // A threshold is a probability. Where one of 1 is reached, none up to 1 accepts everything.
    if (above >= 1) continue;
    const threshold = representative(Math.max(0, above), Math.min(1, upTo), above < STANDARD && STANDARD <= upTo);
    const gain = best === null ? 1 : N_acc + T_acc - best.N_acc - best.T_acc;
    const isNearer = Math.abs(threshold - STANDARD) < Math.abs((best?.threshold ?? 2) - STANDARD);
    // Sums of two shares that are equal may differ by rounding.
    if (gain > 1e-12 || (gain > -1e-12 && isNearer)) best = { threshold, N_acc, T_acc };
  }
  if (best === null) throw new Error('calibration: the curve has no threshold');
  return best;
}

function representative(above: number, upTo: number, hasStandard: boolean): number {
  if (hasStandard) return STANDARD;
  const middle = (above + upTo) / 2;
  // Neighbouring floating-point numbers have nothing between them; the interval is open at its lower end.
  return middle > above ? middle : upTo;
}
