/** Published figures of answers in words: Table 13 adds up to what Table 9 prints, and ours stand in their places. */
import { expect, test } from '@jest/globals';
import { mmeTable, publishedVqa, TABLE_13 } from '../../../src/evaluation/vqa/published-vqa.js';
import { MME_COGNITION, MME_PERCEPTION } from '../../../src/evaluation/vqa/vqa-score.js';

test("Table 13's tasks are MME's, and add up to its totals; SELF1E's total is that of Table 9", () => {
  const tasks = [...TABLE_13].filter(([task]) => task !== 'total');
  expect(tasks.map(([task]) => task)).toEqual([...MME_PERCEPTION, ...MME_COGNITION]);
  for (const column of [0, 1] as const) {
    const sum = tasks.reduce((total, [, figures]) => total + figures[column], 0);
    expect(sum).toBeCloseTo(TABLE_13.get('total')?.[column] ?? NaN, 2);
  }
  expect(TABLE_13.get('total')?.[0]).toBeCloseTo(publishedVqa('mme')[2]?.[1] ?? NaN, 1);
});

test('a set has its column of Table 9', () => {
  expect(publishedVqa('vizwiz')).toEqual([
    ['InternVL3-2B', 56.6],
    ['InternVL3-8B', 63.4],
    ['SELF1E-2B', 67.8],
    ['SELF1E-8B', 69.9],
  ]);
});

test('our points of MME stand next to the published ones; a task that was not asked has none', () => {
  const categories = [{ category: 'OCR', questions: 2, figures: { score: 150 } }];
  const rows = mmeTable({ categories, figures: { perception: null, cognition: null, total: null } });
  expect(rows.find(([task]) => task === 'OCR')).toEqual(['OCR', 150, 102.5, 155]);
  expect(rows.find(([task]) => task === 'count')).toEqual(['count', null, 140, 165]);
  expect(rows.at(-1)).toEqual(['total', null, 2014.64, 2164.11]);
});
