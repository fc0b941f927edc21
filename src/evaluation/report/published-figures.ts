/**
 * Tables of GSVA's paper of our benchmarks, in percent, copied as printed; null where a table has a dash. "(ft)":
 * finetuned, by the table's caption.
 */
import type { ReleasedModel } from '../../systems/catalogue/entry.js';

export interface PublishedColumn {
  readonly dataset: string;
  readonly split: string;
  /** By our benchmark's name. */
  readonly figure: string;
}

export interface PublishedFigureTable {
  readonly title: string;
  readonly note: string;
  readonly columns: readonly PublishedColumn[];
  /** In the order of the columns. */
  readonly rows: readonly (readonly [method: string, ...figures: (number | null)[]])[];
}

export function columnsOf(dataset: string, splits: readonly string[], figures: readonly string[]): PublishedColumn[] {
  return splits.flatMap((split) => figures.map((figure) => ({ dataset, split, figure })));
}

export function resColumns(figure: string): PublishedColumn[] {
  const unc = ['refcoco', 'refcoco+'].flatMap((dataset) => columnsOf(dataset, ['val', 'testA', 'testB'], [figure]));
  return [...unc, ...columnsOf('refcocog', ['val', 'test'], [figure])];
}

/** By number. */
export const TABLES: Readonly<Record<1 | 2 | 3 | 5 | 6 | 8 | 9, PublishedFigureTable>> = {
  1: {
    title: 'Table 1',
    note: '"(ft)": finetuned on the training split of gRefCOCO.',
    columns: columnsOf('grefcoco', ['val', 'testA', 'testB'], ['gIoU', 'cIoU', 'N_acc']),
    rows: [
      ['MattNet', 48.24, 47.51, 41.15, 59.3, 58.66, 44.04, 46.14, 45.33, 41.32],
      ['LTS', 52.7, 52.3, null, 62.64, 61.87, null, 50.42, 49.96, null],
      ['VLT', 52.0, 52.51, 47.17, 63.2, 62.19, 48.74, 50.88, 50.52, 47.82],
      ['CRIS', 56.27, 55.34, null, 63.42, 63.82, null, 51.79, 51.04, null],
      ['LAVT', 58.4, 57.64, 49.32, 65.9, 65.32, 49.25, 55.83, 55.04, 48.46],
      ['ReLA', 63.6, 62.42, 56.37, 70.03, 69.26, 59.02, 61.02, 59.88, 58.4],
      ['LISA-Vicuna-7B', 32.21, 38.72, 2.71, 48.54, 52.55, 6.37, 39.65, 44.79, 5.0],
      ['GSVA-Vicuna-7B', 63.32, 61.7, 56.45, 70.11, 69.23, 63.5, 61.34, 60.26, 58.42],
      ['LISA-Vicuna-7B (ft)', 61.63, 61.76, 54.67, 66.27, 68.5, 50.01, 58.84, 60.63, 51.91],
      ['GSVA-Vicuna-7B (ft)', 66.47, 63.29, 62.43, 71.08, 69.93, 65.31, 62.23, 60.47, 60.56],
      ['LISA-Vicuna-13B', 32.73, 39.85, 3.66, 48.76, 53.62, 4.89, 39.49, 45.35, 4.41],
      ['GSVA-Vicuna-13B', 62.97, 60.18, 58.44, 67.17, 67.59, 54.6, 58.06, 57.28, 52.22],
      ['LISA-Vicuna-13B (ft)', 63.45, 62.99, 55.25, 68.18, 69.65, 52.16, 61.84, 62.24, 56.15],
      ['GSVA-Vicuna-13B (ft)', 68.01, 64.05, 65.36, 71.75, 70.51, 67.25, 63.83, 61.28, 63.11],
      ['LISA-Llama2-13B', 33.26, 39.64, 3.27, 49.76, 53.8, 7.28, 40.49, 45.41, 5.73],
      ['GSVA-Llama2-13B', 63.2, 62.38, 54.51, 69.52, 69.86, 57.84, 62.06, 60.77, 58.3],
      ['LISA-Llama2-13B (ft)', 65.24, 63.96, 57.49, 69.99, 71.0, 55.43, 62.11, 62.29, 56.34],
      ['GSVA-Llama2-13B (ft)', 70.04, 66.38, 66.02, 73.29, 72.79, 64.72, 65.45, 63.2, 62.47],
    ],
  },
  2: {
    title: 'Table 2 (cIoU)',
    note: '"*": excerpted from the original paper.',
    columns: resColumns('cIoU'),
    rows: [
      ['MCN', 62.4, 64.2, 59.7, 50.6, 55.0, 44.7, 49.2, 49.4],
      ['VLT', 67.5, 70.5, 65.2, 56.3, 61.0, 50.1, 55.0, 57.7],
      ['CRIS', 70.5, 73.2, 66.1, 62.3, 68.1, 53.7, 59.9, 60.4],
      ['LAVT', 72.7, 75.8, 68.8, 62.1, 68.4, 55.1, 61.2, 62.1],
      ['ReLA', 73.8, 76.5, 70.2, 66.0, 71.0, 57.7, 65.0, 66.0],
      ['X-Decoder', null, null, null, null, null, null, 64.6, null],
      ['SEEM', null, null, null, null, null, null, 65.7, null],
      ['PolyFormer-L', 76.0, 78.3, 73.3, 69.3, 74.6, 61.9, 69.2, 70.2],
      ['LISA-Vicuna-7B*', 74.1, 76.5, 71.1, 62.4, 67.4, 56.5, 66.4, 68.5],
      ['GSVA-Vicuna-7B', 76.4, 77.4, 72.8, 64.5, 67.7, 58.6, 71.1, 72.0],
      ['LISA-Vicuna-7B* (ft)', 74.9, 79.1, 72.3, 65.1, 70.8, 58.1, 67.9, 70.6],
      ['GSVA-Vicuna-7B (ft)', 77.2, 78.9, 73.5, 65.9, 69.6, 59.8, 72.7, 73.3],
      ['LISA-Vicuna-13B', 71.7, 74.7, 68.1, 59.4, 64.2, 52.9, 65.2, 66.1],
      ['GSVA-Vicuna-13B', 74.6, 77.5, 70.5, 62.5, 66.5, 55.5, 69.6, 71.2],
      ['LISA-Vicuna-13B (ft)', 76.0, 78.8, 72.9, 65.0, 70.2, 58.1, 69.5, 70.5],
      ['GSVA-Vicuna-13B (ft)', 78.2, 80.4, 74.2, 67.4, 71.5, 60.9, 74.2, 75.6],
      ['LISA-Llama2-13B', 73.4, 76.2, 69.5, 62.3, 66.6, 56.3, 68.2, 68.5],
      ['GSVA-Llama2-13B', 77.7, 79.9, 74.2, 68.0, 71.5, 61.5, 73.2, 73.9],
      ['LISA-Llama2-13B (ft)', 76.3, 78.7, 72.4, 66.2, 71.0, 59.3, 70.1, 71.1],
      ['GSVA-Llama2-13B (ft)', 79.2, 81.7, 77.1, 70.3, 73.8, 63.6, 75.7, 77.0],
    ],
  },
  3: {
    title: 'Table 3 (Prec@0.5)',
    note: 'Boxes are those of the masks.',
    columns: resColumns('Prec@0.5'),
    rows: [
      ['u-LLaVA-7B (LoRA)', 83.47, 87.13, 80.21, 68.74, 76.32, 60.98, 76.19, 78.24],
      ['u-LLaVA-7B (full-ft)', 86.04, 89.47, 82.26, 74.09, 81.16, 66.61, 79.87, 81.68],
      ['LISA-Vicuna-7B', 78.68, 81.72, 75.74, 62.92, 68.93, 56.49, 70.1, 72.47],
      ['GSVA-Vicuna-7B', 85.5, 88.01, 82.49, 70.21, 75.62, 65.11, 79.0, 79.21],
      ['LISA-Vicuna-7B (ft)', 85.39, 88.84, 82.59, 74.23, 79.46, 68.4, 79.34, 80.42],
      ['GSVA-Vicuna-7B (ft)', 86.27, 89.22, 83.77, 72.81, 78.78, 68.01, 81.58, 81.83],
      ['LISA-Vicuna-13B', 80.01, 83.26, 76.26, 63.77, 70.24, 57.42, 71.79, 73.34],
      ['GSVA-Vicuna-13B', 83.12, 87.01, 80.54, 68.14, 73.9, 62.0, 77.08, 78.89],
      ['LISA-Vicuna-13B (ft)', 85.92, 89.05, 83.16, 74.86, 81.08, 68.87, 80.09, 81.48],
      ['GSVA-Vicuna-13B (ft)', 87.71, 90.49, 84.57, 76.52, 81.69, 70.35, 83.9, 84.85],
      ['LISA-Llama2-13B', 82.52, 85.56, 78.82, 67.91, 73.77, 62.25, 75.37, 76.83],
      ['GSVA-Llama2-13B', 86.99, 89.54, 84.08, 73.89, 79.1, 69.38, 80.68, 82.07],
      ['LISA-Llama2-13B (ft)', 85.91, 88.84, 81.73, 74.46, 80.56, 68.26, 80.09, 81.27],
      ['GSVA-Llama2-13B (ft)', 89.16, 92.08, 87.17, 79.74, 84.45, 73.41, 85.47, 86.18],
    ],
  },
  5: {
    title: 'Table 5',
    note: 'The paper does not say which split of ReasonSeg its rows are of.',
    columns: columnsOf('reason_seg', ['val', 'test'], ['gIoU', 'cIoU']),
    rows: [
      ['LISA-7B (ft), split not named', 50.5, 53.2, 50.5, 53.2],
      ['GSVA-7B (ft), split not named', 50.5, 56.4, 50.5, 56.4],
    ],
  },
  6: {
    title: 'Table 6',
    note: 'GSVA-Vicuna-7B, asked in other words: --question what, where, show or outline.',
    columns: columnsOf('grefcoco', ['val'], ['gIoU', 'cIoU', 'N_acc']),
    rows: [
      ['"What"', 63.32, 61.7, 56.44],
      ['"Where"', 63.43, 61.57, 56.98],
      ['"Show"', 63.05, 61.35, 56.48],
      ['"Outline"', 63.16, 61.51, 56.27],
    ],
  },
  8: {
    title: 'Table 8',
    note: 'oIoU and mIoU over expressions that have a target, Acc over the others.',
    columns: columnsOf('refzom', ['test'], ['oIoU', 'mIoU', 'Acc']),
    rows: [
      ['MCN', 55.03, 54.7, 75.81],
      ['CMPC', 56.19, 55.72, 77.01],
      ['VLT', 60.21, 60.43, 79.26],
      ['LAVT', 64.45, 64.78, 83.11],
      ['DMMI', 68.77, 68.21, 87.02],
      ['LISA-Vicuna-7B', 60.14, 61.46, 72.58],
      ['GSVA-Vicuna-7B', 67.12, 67.98, 82.66],
      ['LISA-Vicuna-7B (ft)', 66.41, 65.39, 93.39],
      ['GSVA-Vicuna-7B (ft)', 68.29, 68.13, 94.59],
    ],
  },
  9: {
    title: 'Table 9',
    note: 'mIoU over classes, each asked for only where an image has it.',
    columns: columnsOf('ade20k', ['validation'], ['mIoU']),
    rows: [
      ['LISA-Vicuna-7B', 60.11],
      ['GSVA-Vicuna-7B', 60.56],
    ],
  },
};

/** Figures of a model's rows in the tables, in percent. */
export function expectedFigures({ figures }: Pick<ReleasedModel, 'figures'>) {
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
