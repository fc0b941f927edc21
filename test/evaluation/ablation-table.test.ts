/** The arithmetic of ablations: means, deviations, directions, and what is said of them. */
import { describe, expect, test } from '@jest/globals';
import {
  ablationCells,
  type AblationFigures,
  ablationMarkdown,
  type AblationResult,
  type AblationTable,
  directionOf,
  spreadOf,
  spreadText,
  verdictCounts,
  verdictOf,
} from '../../src/evaluation/ablation-table.js';

const runs = (...values: (number | null)[]): AblationFigures[] =>
  values.map((value) => ({ gIoU: value, cIoU: value, N_acc: value, T_acc: value }));
const row = (label: string, paper: AblationResult['paper'], ...values: (number | null)[]): AblationResult => {
  return { label, paper, reference: runs(...values), strict: runs(...values) };
};
const paper = (value: number): AblationResult['paper'] => ({ gIoU: value, cIoU: value, N_acc: value });

describe('spreadOf', () => {
  test('mean and sample standard deviation', () => {
    expect(spreadOf([0.2, 0.4, 0.6])).toEqual({
      mean: expect.closeTo(0.4, 12),
      deviation: expect.closeTo(0.2, 12),
      count: 3,
    });
  });

  test('one run has no deviation; none, or figures that nothing decides, are nothing', () => {
    expect(spreadOf([0.5])).toEqual({ mean: 0.5, deviation: null, count: 1 });
    expect(spreadOf([null, 0.5])).toEqual({ mean: 0.5, deviation: null, count: 1 });
    expect([spreadOf([]), spreadOf([null])]).toEqual([null, null]);
  });

  test('as text, in per cent', () => {
    expect([spreadOf([0.2, 0.4, 0.6]), spreadOf([0.1234]), null].map(spreadText)).toEqual(['40.0 ± 20.0', '12.3', '–']);
  });
});

describe('directionOf', () => {
  const of = (mean: number, deviation: number | null) => ({ mean, deviation, count: 3 });

  test('a difference counts beyond two of its standard errors', () => {
    // The error of the difference is √(0.03²/3 + 0.03²/3) = 0.0245.
    expect(directionOf(of(0.5, 0.03), of(0.56, 0.03))).toBe('lower');
    expect(directionOf(of(0.56, 0.03), of(0.5, 0.03))).toBe('higher');
    expect(directionOf(of(0.5, 0.03), of(0.54, 0.03))).toBeNull();
  });

  test('below a point there is no difference, however sure; one run says nothing', () => {
    expect(directionOf(of(0.5, 0), of(0.509, 0))).toBe('equal');
    expect(directionOf(of(0.5, null), of(0.9, 0.01))).toBeNull();
  });
});

describe('verdictOf', () => {
  const base = row('GSVA', paper(60), 0.7, 0.71, 0.72);

  test.each([
    ['falls in both', row('a', paper(40), 0.5, 0.51, 0.52), 'same'],
    ['falls in the paper only', row('a', paper(40), 0.7, 0.71, 0.72), 'different'],
    ['rises here', row('a', paper(40), 0.8, 0.81, 0.82), 'different'],
    ['equal in both', row('a', paper(60.9), 0.7, 0.71, 0.72), 'same'],
    ['too far apart to say', row('a', paper(40), 0.3, 0.6, 0.9), 'unclear'],
    ['a single run', row('a', paper(40), 0.3), 'unclear'],
    ['no run', row('a', paper(40)), 'unclear'],
    ['a drawing that says lower', row('a', 'lower', 0.5, 0.51, 0.52), 'same'],
  ] as const)('%s', (_, result, verdict) => {
    expect(verdictOf(result, base, 'gIoU')).toBe(verdict);
  });
});

describe('tables', () => {
  const table: AblationTable = {
    title: 'Table 1',
    about: 'About it.',
    baseline: 0,
    rows: [row('GSVA', paper(60), 0.7, 0.71, 0.72), row('less', paper(40), 0.5, 0.51, 0.52), row('later', paper(1))],
  };

  test('the paper beside ours, both protocols, a verdict against the first row', () => {
    const [head, ...rows] = ablationCells(table);
    expect(rows.map((cells) => cells.length)).toEqual([head?.length, head?.length, head?.length]);
    expect(rows[1]).toEqual([
      ...['less', '40.00', '40.00', '40.00'],
      ...Array.from({ length: 6 }, () => '51.0 ± 1.0'),
      'same',
    ]);
    expect(rows[0]?.at(-1)).toBe('');
    expect(rows[2]?.slice(4)).toEqual([...Array.from({ length: 6 }, () => '–'), '']);
  });

  test('figures that do not agree are named', () => {
    const mixed = { ...row('less', { gIoU: 40, cIoU: 60, N_acc: 80 }, 0.5, 0.51, 0.52) };
    const cells = ablationCells({ ...table, rows: [table.rows[0] as AblationResult, mixed] });
    expect(cells[2]?.at(-1)).toBe('gIoU same, cIoU different, N-acc different');
  });

  test('verdicts are counted over all rows that were run', () => {
    expect(verdictCounts([table, { ...table, baseline: 1 }])).toEqual({ same: 6, different: 0, unclear: 0 });
  });

  test('as Markdown', () => {
    const text = ablationMarkdown('Ablations', ['How.'], [table]);
    expect(text).toMatch(/^# Ablations\n\nHow\.\n\n## Table 1\n\nAbout it\.\n\n\| {2}\| paper gIoU \|/);
    expect(text.split('\n').filter((line) => line.startsWith('|'))).toHaveLength(5);
  });
});
