/** The sweep of thresholds, against the definition on random decisions and on curves that are known. */
import { describe, expect, test } from '@jest/globals';
import { calibrate, type Calibration, type Decision } from '../../src/evaluation/calibration.js';
import { calibrationPlots } from '../../src/evaluation/report/analysis-data.js';
import { Random } from '../../src/random.js';

function accuracies(decisions: readonly Decision[], threshold: number): { N_acc: number; T_acc: number } {
  const absent = decisions.filter(({ targetIsEmpty }) => targetIsEmpty);
  const present = decisions.filter(({ targetIsEmpty }) => !targetIsEmpty);
  return {
    N_acc: absent.filter((d) => d.rejectProbability >= threshold).length / absent.length,
    T_acc: present.filter((d) => d.rejectProbability < threshold).length / present.length,
  };
}

/** Probabilities on a coarse grid, so that many are equal; the ends among them. */
function randomDecisions(seed: number): Decision[] {
  const random = new Random(seed);
  const steps = random.pick([2, 5, 40, 1e6]);
  const skill = random.uniform();
  const count = 2 + random.integer(60);
  return Array.from({ length: count }, (_, i) => {
    const targetIsEmpty = i === 0 || (i > 1 && random.uniform() < 0.4);
    const p = skill * Number(targetIsEmpty) + (1 - skill) * random.uniform();
    return { rejectProbability: Math.round(p * steps) / steps, targetIsEmpty };
  });
}

const of = (decisions: readonly Decision[]): Calibration => calibrate(decisions) as Calibration;

describe('calibrate', () => {
  test('every point, the area and the best threshold are what their definitions say', () => {
    for (let seed = 1; seed <= 300; seed++) {
      const decisions = randomDecisions(seed);
      const { curve, area, best, standard } = of(decisions);
      for (const { above, upTo, N_acc, T_acc } of curve) {
        const inside = upTo === Infinity ? above + 1 : upTo;
        expect({ N_acc, T_acc }).toEqual(accuracies(decisions, inside));
        if (above > -Infinity && upTo < Infinity) {
          expect({ N_acc, T_acc }).toEqual(accuracies(decisions, (above + upTo) / 2));
        }
      }
      expect(standard).toEqual(accuracies(decisions, 0.5));

      // The area is the share of pairs that are in the right order, equal ones counting half.
      let [pairs, right] = [0, 0];
      for (const a of decisions.filter((d) => d.targetIsEmpty)) {
        for (const p of decisions.filter((d) => !d.targetIsEmpty)) {
          pairs++;
          right +=
            a.rejectProbability > p.rejectProbability ? 1 : a.rejectProbability === p.rejectProbability ? 0.5 : 0;
        }
      }
      expect(area).toBeCloseTo(right / pairs, 12);

      expect({ N_acc: best.N_acc, T_acc: best.T_acc }).toEqual(accuracies(decisions, best.threshold));
      const mean = ({ N_acc, T_acc }: { N_acc: number; T_acc: number }): number => (N_acc + T_acc) / 2;
      for (let i = 0; i <= 200; i++) {
        const other = mean(accuracies(decisions, i / 200));
        expect(other).toBeLessThanOrEqual(mean(best) + 1e-12);
      }
      expect(best.threshold).toBeGreaterThanOrEqual(0);
      expect(best.threshold).toBeLessThanOrEqual(1);
    }
  });

  const decision = (rejectProbability: number, targetIsEmpty: boolean): Decision => ({
    rejectProbability,
    targetIsEmpty,
  });

  test('known curves: perfect, reversed, constant', () => {
    const perfect = of([decision(0.1, false), decision(0.2, false), decision(0.8, true), decision(0.9, true)]);
    expect(perfect).toMatchObject({ area: 1, best: { threshold: 0.5, N_acc: 1, T_acc: 1 } });
    const reversed = of([decision(0.9, false), decision(0.1, true)]);
    expect(reversed.area).toBe(0);
    expect(reversed.best.N_acc + reversed.best.T_acc).toBe(1);
    const constant = of([decision(0.3, false), decision(0.3, true), decision(0.3, true)]);
    expect(constant.area).toBe(0.5);
    expect(constant.curve).toEqual([
      { above: -Infinity, upTo: 0.3, N_acc: 1, T_acc: 0 },
      { above: 0.3, upTo: Infinity, N_acc: 0, T_acc: 1 },
    ]);
    expect(constant.best.threshold).toBe(0.5); // both are equally good: the nearest to 0.5
  });

  test('0.5 where it is as good as any, else the middle of the best interval; ties to the nearest to 0.5', () => {
    expect(of([decision(0.1, false), decision(0.9, true)]).best.threshold).toBe(0.5);
    expect(of([decision(0.1, false), decision(0.3, true)]).best.threshold).toBeCloseTo(0.2, 12);
    // Between 0.1 and 0.2, and between 0.3 and 0.4: 3 of 4 right in both.
    const tie = of([decision(0.1, false), decision(0.2, true), decision(0.3, false), decision(0.4, true)]);
    expect(tie.best.threshold).toBeCloseTo(0.35, 12);
    // Floating-point neighbours have nothing between them.
    const next = 0.3 + 2 ** -54;
    expect(of([decision(0.3, false), decision(next, true)]).best).toMatchObject({ N_acc: 1, T_acc: 1 });
  });

  test('accepting everything is no choice where a probability is 1', () => {
    const { best, curve } = of([decision(1, false), decision(1, true), decision(1, true)]);
    expect(best).toMatchObject({ N_acc: 1, T_acc: 0 });
    expect(curve).toHaveLength(2);
  });

  test('without both kinds there is nothing to weigh; what was not decided is counted', () => {
    expect(calibrate([])).toBeNull();
    expect(calibrate([decision(0.1, true)])).toBeNull();
    const undecided = { rejectProbability: null, targetIsEmpty: true };
    expect(calibrate([decision(0.1, false), undecided])).toBeNull();
    expect(calibrate([decision(0.1, false), decision(0.6, true), undecided])).toMatchObject({
      decisions: 2,
      undecided: 1,
    });
  });

  test('the plots have few enough points not to be smoothed, and begin and end where the curve does', () => {
    const [trade, thresholds] = calibrationPlots(
      of(Array.from({ length: 1001 }, (_, i) => decision(i / 1000, i % 3 === 0))),
    );
    const points = trade?.series[0]?.points ?? [];
    expect(points.length).toBeLessThanOrEqual(80);
    expect([points[0], points.at(-1)]).toEqual([
      [0, 1],
      [1, 0],
    ]);
    for (const { points: line } of thresholds?.series ?? []) {
      expect(line).toHaveLength(80);
      expect(line.every(([, y]) => y >= 0 && y <= 1)).toBe(true);
    }
  });
});
