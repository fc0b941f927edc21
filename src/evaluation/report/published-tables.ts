/** The paper's tables with our figures at the bottom, where they are of the same dataset and split. */
import type { RecordedResult } from '../record-figures.js';
import type { RecordHeader } from '../record.js';
import {
  type PublishedFigureTable,
  TABLE_1,
  TABLE_2,
  TABLE_3,
  TABLE_5,
  TABLE_6,
  TABLE_8,
  TABLE_9,
} from './published-figures.js';
import { metricTitle } from '../figures.js';

/** As it is printed. */
export interface PublishedTable {
  readonly title: string;
  readonly note: string;
  readonly head: readonly string[];
  readonly rows: readonly { readonly cells: readonly string[]; readonly isOurs: boolean }[];
}

const TABLES: readonly PublishedFigureTable[] = [TABLE_1, TABLE_2, TABLE_3, TABLE_5, TABLE_8, TABLE_9];

/** Tables that have a column of the run's dataset and split; Table 6 where another question was asked. */
export function publishedTablesOf(
  { dataset, split, question }: Pick<RecordHeader, 'dataset' | 'split' | 'question'>,
  ours: readonly RecordedResult[],
): PublishedTable[] {
  const tables = question === 'reference' ? TABLES : [TABLE_6];
  return tables
    .filter(({ columns }) => columns.some((column) => column.dataset === dataset && column.split === split))
    .map(({ title, note, columns, rows }) => {
      const datasets = new Set(columns.map((column) => column.dataset));
      const head = columns.map((column) =>
        [...(datasets.size > 1 ? [column.dataset] : []), column.split, metricTitle(column.figure)].join(' '),
      );
      const published = rows.map(([method, ...figures]) => {
        return { cells: [method, ...figures.map(percent)], isOurs: false };
      });
      const measured = ours.map((result) => {
        const figures = columns.map((column) => {
          const isHere = column.dataset === dataset && column.split === split;
          const value = isHere ? (result.figures[column.figure] ?? null) : null;
          return percent(value === null ? null : 100 * value);
        });
        const name = question === 'reference' ? '' : `"${question}", `;
        return { cells: [`this run, ${name}${result.protocol}`, ...figures], isOurs: true };
      });
      return { title, note, head: ['Method', ...head], rows: [...published, ...measured] };
    });
}

function percent(value: number | null): string {
  return value === null ? '–' : value.toFixed(2);
}
