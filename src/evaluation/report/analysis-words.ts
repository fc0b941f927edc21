/** Words and tables of an analysis, the same in HTML and Markdown. */
import { FAILURE_MEANING } from '../failures.js';
import { metricTitle } from '../figures.js';
import type { ExpressionRecord, Result } from '../records/record-types.js';
import type { ReportAnalysis } from './analysis-data.js';
import type { PageTable } from './page-table.js';
import type { PublishedTable } from './published-tables.js';
import { formatFigure } from './report-data.js';

/** Images in the table of the worst; report.json has all. */
const SHOWN_IMAGES = 10;

export const CALIBRATION_NOTE =
  'The area under the curve is the probability that an absent target has a higher probability of [REJ] than a present ' +
  'one: 0.5 is a guess, 1 is perfect. The best threshold has the highest mean of N-acc and T-acc; of equally good ones ' +
  'it is the one nearest to 0.5. It is chosen on val and stored by gsva report calibrate --store.';

export const DASH_NOTE =
  'A dash: undefined, since nothing in the group decides the figure (cIoU and T-acc need targets that are there, N-acc ' +
  'absent ones).';

export const FAILURE_NOTE =
  'Cost: what is lost of gIoU, (1 − IoU) / expressions; all costs add up to 1 − gIoU. The dearest of each kind are ' +
  'shown, each target in its colour; the image is dark where the target that was asked for is absent.';

export function calibrationSentence(calibration: NonNullable<ReportAnalysis['calibration']>): string {
  const { area, best, standard, decisions, undecided, protocol } = calibration;
  const noDecision = undecided === 0 ? '' : `; ${undecided} expressions without one are left out`;
  return (
    `Area under the curve ${area.toFixed(3)}. Best threshold ${best.threshold.toFixed(4)}: N-acc ${formatFigure(best.N_acc)}, ` +
    `T-acc ${formatFigure(best.T_acc)}; at 0.5: N-acc ${formatFigure(standard.N_acc)}, T-acc ${formatFigure(standard.T_acc)} ` +
    `(${decisions} decisions by the protocol ${protocol}${noDecision}).`
  );
}

export function breakdownTables({ breakdowns, images }: ReportAnalysis): PageTable[] {
  const worst = images.filter(({ result }) => (result.gIoU ?? 1) < 1).slice(0, SHOWN_IMAGES);
  return [
    ...breakdowns.map(({ title, groups }) => figureTable(title, groups)),
    ...(worst.length === 0
      ? []
      : [
          figureTable(
            'The worst images',
            worst.map(({ fileName, result }) => ({ name: fileName, result })),
          ),
        ]),
  ];
}

/** Expressions and figures; a figure that no row decides has no column. */
function figureTable(title: string, rows: readonly { readonly name: string; readonly result: Result }[]): PageTable {
  const figures = Object.keys(rows[0]?.result.figures ?? {}).filter((name) =>
    rows.some(({ result }) => (result.figures[name] ?? null) !== null),
  );
  return {
    head: [title, 'Expressions', ...figures.map(metricTitle)],
    rows: rows.map(({ name, result }) => {
      return [name, String(result.expressions), ...figures.map((figure) => formatFigure(result.figures[figure]))];
    }),
  };
}

export function failureTable({ failureKinds }: ReportAnalysis): PageTable {
  return {
    head: ['Kind', 'What it is', 'Expressions', 'Cost'],
    rows: failureKinds.map(({ kind, count, cost }) => [kind, FAILURE_MEANING[kind], String(count), formatFigure(cost)]),
    left: 2,
  };
}

export function publishedTable({ head, rows }: PublishedTable): PageTable {
  const rowClasses = rows.map(({ isOurs }) => (isOurs ? 'ours' : ''));
  return { head, rows: rows.map(({ cells }) => cells), rowClasses };
}

export const ANSWER_WORDS = { found: 'segmented', absent: 'rejected', none: 'not answered' } as const;

/** "present, segmented, IoU 0.512, P(reject) 0.034" */
export function answerWords({ targetIsEmpty, answer, iou, rejectProbability }: ExpressionRecord): string {
  return [
    targetIsEmpty ? 'absent' : 'present',
    ANSWER_WORDS[answer],
    ...(targetIsEmpty || answer !== 'found' ? [] : [`IoU ${formatFigure(iou)}`]),
    ...(rejectProbability === null ? [] : [`P(reject) ${formatFigure(rejectProbability)}`]),
  ].join(', ');
}
