/** The paper's figures of a model, from the tables that reports show. */
import { type PublishedColumn, TABLE_1, TABLE_2, TABLE_3, TABLE_8, TABLE_9 } from './published-figures.js';
import type { ReleasedModel } from '../../systems/catalogue/entry.js';

const TABLES = { 1: TABLE_1, 2: TABLE_2, 3: TABLE_3, 8: TABLE_8, 9: TABLE_9 } as const;

export interface ExpectedFigure extends PublishedColumn {
  readonly table: string;
  /** In percent. */
  readonly published: number;
}

/** Figures of a model's rows in the tables. */
export function expectedFigures({ figures }: Pick<ReleasedModel, 'figures'>): ExpectedFigure[] {
  return figures.flatMap(({ table: number, row }) => {
    const table = TABLES[number];
    const [, ...values] = table.rows.find(([method]) => method === row) ?? [row];
    return table.columns.flatMap(({ dataset, split, figure }, i) => {
      const published = values[i];
      if (typeof published !== 'number') return [];
      return [{ table: `Table ${number}`, dataset, split, figure, published }];
    });
  });
}
