/** Tables 9 and 13 of SELF1E's supplement, copied as printed: figures of answers in words. */
import type { VqaScore } from './vqa-score.js';
import type { VqaSetName } from './vqa-sets.js';

/** Table 9 without MMBench, whose questions have no reader here. Accuracy in percent; POPE: F1; MME: points. */
const COLUMNS = ['vqav2', 'okvqa', 'vizwiz', 'gqa', 'textvqa', 'pope', 'mme'] as const satisfies readonly VqaSetName[];

type Row = readonly [method: string, ...figures: number[]];

export const TABLE_9: readonly Row[] = [
  ['InternVL3-2B', 80.1, 56.1, 56.6, 60.7, 77.0, 89.6, 2221.2],
  ['InternVL3-8B', 81.8, 61.9, 63.4, 63.2, 78.9, 91.1, 2415.4],
  ['SELF1E-2B', 77.7, 48.5, 67.8, 61.5, 71.7, 89.4, 2014.6],
  ['SELF1E-8B', 80.2, 54.0, 69.9, 64.1, 72.3, 91.1, 2265.1],
];

/** Table 13 by MME's task: SELF1E-2B and InternVL3-2B. Its total of the latter is not the 2221.2 of Table 9. */
export const TABLE_13: ReadonlyMap<string, readonly [self1e: number, internVl: number]> = new Map([
  ['existence', [190, 195]],
  ['count', [140, 165]],
  ['position', [153.33, 136.67]],
  ['color', [175, 170]],
  ['posters', [164.29, 157.48]],
  ['celebrity', [159.41, 155]],
  ['scene', [160.25, 156.25]],
  ['landmark', [156.5, 163.75]],
  ['artwork', [140.5, 156.75]],
  ['OCR', [102.5, 155]],
  ['commonsense_reasoning', [97.86, 115.71]],
  ['numerical_calculation', [100, 105]],
  ['text_translation', [162.5, 185]],
  ['code_reasoning', [112.5, 147.5]],
  ['total', [2014.64, 2164.11]],
]);

export const TABLE_9_NOTE =
  'The supplement names no splits. By the evaluation of InternVL, which it used: VQAv2 test-dev (whose answers are not ' +
  'public), val of OK-VQA, TextVQA and VizWiz, testdev of GQA; POPE is the mean F1 of its three samplings.';

/** Rows of Table 9 for a set: method and figure. */
export function publishedVqa(set: VqaSetName): readonly (readonly [method: string, figure: number])[] {
  const column = COLUMNS.indexOf(set) + 1;
  return TABLE_9.map((row) => [row[0], row[column] as number]);
}

/** MME as Table 13 has it: task, our points, SELF1E-2B's, InternVL3-2B's. */
export function mmeTable({ categories, figures }: VqaScore): (readonly [string, number | null, number, number])[] {
  return [...TABLE_13].map(([task, [self1e, internVl]]) => {
    const found = task === 'total' ? figures['total'] : scoreOf(categories, task);
    return [task, found ?? null, self1e, internVl] as const;
  });
}

function scoreOf(categories: VqaScore['categories'], task: string): number | null {
  return categories.find(({ category }) => category === task)?.figures['score'] ?? null;
}

/** With two decimals, as Table 13; a dash where there is no figure. */
export function formatPoints(value: number | null | undefined): string {
  return value === null || value === undefined ? '–' : value.toFixed(2);
}
