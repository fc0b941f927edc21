/** Table 1 of the paper: generalized referring segmentation on gRefCOCO, in percent. Pure data, copied as printed. */

export const PUBLISHED_SPLITS = ['val', 'testA', 'testB'] as const;
export const PUBLISHED_FIGURES = ['gIoU', 'cIoU', 'N_acc'] as const;

/** gIoU, cIoU, N-acc of one split; null where the table has a dash. */
export type PublishedFigures = readonly [gIoU: number, cIoU: number, nAcc: number | null];

export interface PublishedRow {
  readonly method: string;
  /** In the order of PUBLISHED_SPLITS. */
  readonly splits: readonly [PublishedFigures, PublishedFigures, PublishedFigures];
}

type Numbers = readonly [number, number, number | null];

function row(method: string, val: Numbers, testA: Numbers, testB: Numbers): PublishedRow {
  return { method, splits: [val, testA, testB] };
}

/** "(ft)": finetuned on gRefCOCO. */
export const PUBLISHED_GRES: readonly PublishedRow[] = [
  row('MattNet', [48.24, 47.51, 41.15], [59.3, 58.66, 44.04], [46.14, 45.33, 41.32]),
  row('LTS', [52.7, 52.3, null], [62.64, 61.87, null], [50.42, 49.96, null]),
  row('VLT', [52.0, 52.51, 47.17], [63.2, 62.19, 48.74], [50.88, 50.52, 47.82]),
  row('CRIS', [56.27, 55.34, null], [63.42, 63.82, null], [51.79, 51.04, null]),
  row('LAVT', [58.4, 57.64, 49.32], [65.9, 65.32, 49.25], [55.83, 55.04, 48.46]),
  row('ReLA', [63.6, 62.42, 56.37], [70.03, 69.26, 59.02], [61.02, 59.88, 58.4]),
  row('LISA-Vicuna-7B', [32.21, 38.72, 2.71], [48.54, 52.55, 6.37], [39.65, 44.79, 5.0]),
  row('GSVA-Vicuna-7B', [63.32, 61.7, 56.45], [70.11, 69.23, 63.5], [61.34, 60.26, 58.42]),
  row('LISA-Vicuna-7B (ft)', [61.63, 61.76, 54.67], [66.27, 68.5, 50.01], [58.84, 60.63, 51.91]),
  row('GSVA-Vicuna-7B (ft)', [66.47, 63.29, 62.43], [71.08, 69.93, 65.31], [62.23, 60.47, 60.56]),
  row('LISA-Vicuna-13B', [32.73, 39.85, 3.66], [48.76, 53.62, 4.89], [39.49, 45.35, 4.41]),
  row('GSVA-Vicuna-13B', [62.97, 60.18, 58.44], [67.17, 67.59, 54.6], [58.06, 57.28, 52.22]),
  row('LISA-Vicuna-13B (ft)', [63.45, 62.99, 55.25], [68.18, 69.65, 52.16], [61.84, 62.24, 56.15]),
  row('GSVA-Vicuna-13B (ft)', [68.01, 64.05, 65.36], [71.75, 70.51, 67.25], [63.83, 61.28, 63.11]),
  row('LISA-Llama2-13B', [33.26, 39.64, 3.27], [49.76, 53.8, 7.28], [40.49, 45.41, 5.73]),
  row('GSVA-Llama2-13B', [63.2, 62.38, 54.51], [69.52, 69.86, 57.84], [62.06, 60.77, 58.3]),
  row('LISA-Llama2-13B (ft)', [65.24, 63.96, 57.49], [69.99, 71.0, 55.43], [62.11, 62.29, 56.34]),
  row('GSVA-Llama2-13B (ft)', [70.04, 66.38, 66.02], [73.29, 72.79, 64.72], [65.45, 63.2, 62.47]),
];
