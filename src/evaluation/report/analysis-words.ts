/** What the pages say about an analysis, in words and tables, the same in HTML and Markdown. */
import type { Calibration } from '../calibration.js';
import type { GresResult } from '../metrics/gres-metric.js';
import type { ExpressionRecord } from '../record.js';
import type { ReportAnalysis } from './analysis-data.js';
import { PUBLISHED_FIGURES, PUBLISHED_GRES, PUBLISHED_SPLITS } from './published-gres.js';
import { formatFigure, metricTitle } from './report-data.js';

/** Images in the table of the worst; report.json has all. */
export const SHOWN_IMAGES = 10;

export const PUBLISHED_NOTE =
  'The published rows are on gRefCOCO; "(ft)": finetuned on its training split. Ours can be set beside them where it was ' +
  'measured on the same images and expressions, by the protocol reference.';

export const CALIBRATION_NOTE =
  'The area under the curve is the probability that an absent target has a higher probability of [REJ] than a present ' +
  'one: 0.5 is a guess, 1 is perfect. The best threshold has the highest mean of N-acc and T-acc; of equally good ones ' +
  'it is the one nearest to 0.5. It is chosen on val and stored by gsva report calibrate --store.';

export const FAILURE_NOTE =
  'Cost: what is lost of gIoU, (1 − IoU) / expressions; all costs add up to 1 − gIoU. The dearest of each kind are ' +
  'shown, each target in its colour; the image is dark where the target that was asked for is absent.';

export function calibrationSentence({
  area,
  best,
  standard,
  decisions,
  undecided,
  protocol,
}: CalibrationFacts): string {
  const noDecision = undecided === 0 ? '' : `; ${undecided} expressions without one are left out`;
  return (
    `Area under the curve ${area.toFixed(3)}. Best threshold ${best.threshold.toFixed(4)}: N-acc ${formatFigure(best.N_acc)}, ` +
    `T-acc ${formatFigure(best.T_acc)}; at 0.5: N-acc ${formatFigure(standard.N_acc)}, T-acc ${formatFigure(standard.T_acc)} ` +
    `(${decisions} decisions by the protocol ${protocol}${noDecision}).`
  );
}

type CalibrationFacts = Calibration & { readonly protocol: string };

export interface PublishedTable {
  readonly head: readonly string[];
  readonly rows: readonly { readonly cells: readonly string[]; readonly isOurs: boolean }[];
}

/** The paper's rows and ours below them; null where the paper has no such split. */
export function publishedTable({ split, ours }: ReportAnalysis): PublishedTable | null {
  if (ours.length === 0) return null;
  const head = PUBLISHED_SPLITS.flatMap((name) => PUBLISHED_FIGURES.map((figure) => `${name} ${metricTitle(figure)}`));
  const percent = (value: number | null): string => (value === null ? '–' : value.toFixed(2));
  const published = PUBLISHED_GRES.map(({ method, splits }) => {
    return { cells: [method, ...splits.flat().map(percent)], isOurs: false };
  });
  const measured = ours.map((result) => {
    const figures = PUBLISHED_SPLITS.flatMap((name) =>
      PUBLISHED_FIGURES.map((figure) => {
        const value = name === split ? result[figure] : null;
        return percent(value === null ? null : 100 * value);
      }),
    );
    return { cells: [`this run, ${result.protocol}`, ...figures], isOurs: true };
  });
  return { head: ['Method', ...head], rows: [...published, ...measured] };
}

export interface FigureColumn {
  readonly name: string;
  readonly cell: (result: GresResult) => string;
}

/** Expressions and figures; a figure that no row decides has no column. */
export function figureColumns(rows: readonly GresResult[]): FigureColumn[] {
  const figures = (['gIoU', 'cIoU', 'N_acc', 'T_acc'] as const).filter((figure) =>
    rows.some((result) => result[figure] !== null),
  );
  return [
    { name: 'Expressions', cell: ({ expressions }) => String(expressions) },
    ...figures.map((figure) => {
      return { name: metricTitle(figure), cell: (result: GresResult) => formatFigure(result[figure]) };
    }),
  ];
}

/** "there, segmented, IoU 0.512, P(reject) 0.034" */
export function answerWords({ targetIsEmpty, answer, iou, rejectProbability }: ExpressionRecord): string {
  const answers = { seg: 'segmented', rej: 'rejected', none: 'not answered' } as const;
  return [
    targetIsEmpty ? 'absent' : 'there',
    answers[answer],
    ...(targetIsEmpty || answer !== 'seg' ? [] : [`IoU ${formatFigure(iou)}`]),
    ...(rejectProbability === null ? [] : [`P(reject) ${formatFigure(rejectProbability)}`]),
  ].join(', ');
}
