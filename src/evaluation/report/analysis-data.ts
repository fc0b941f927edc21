/** The analysis of a run: breakdown, rejection, failures; and its words and tables, the same in HTML and Markdown. */
import type { Dialogue } from '../../systems/system.js';
import type { BinaryMask, RgbImage } from '../../types.js';
import { breakDown, imageFigures, type Failure } from '../breakdown.js';
import { FAILURE_KINDS, FAILURE_MEANING, findFailures, summarizeFailures } from '../breakdown.js';
import { benchmarkNamed } from '../benchmarks/benchmarks.js';
import { calibrate, type Calibration } from '../calibration.js';
import { formatFigure, metricTitle } from '../figures.js';
import type { GresProtocol } from '../metrics/gres-score.js';
import { recordedResults, recordsOf } from '../records/record-figures.js';
import type { RecordFile } from '../records/record.js';
import type { ExpressionRecord, Result } from '../records/record-types.js';
import type { LinePlot } from './line-plot.js';
import type { PageTable } from './markup.js';
import { measuredWords, type MeasuredSet } from './measured-set.js';
import { publicationOf, type PublishedTable } from './published-tables.js';

export interface SceneExpression {
  readonly record: ExpressionRecord;
  readonly target: BinaryMask;
  readonly prediction: BinaryMask | null;
}

/** A failure with the content of its picture: the expression itself first, then others that were asked with it. */
export interface FailureScene {
  readonly failure: Failure;
  readonly image: RgbImage;
  readonly expressions: readonly SceneExpression[];
}

export type ReportAnalysis = ReturnType<typeof analyse> & { readonly scenes: readonly FailureScene[] };

/**
 * Everything but the scenes, which need the images.
 * @param dialogue of the system whose paper has the tables
 */
export function analyse(file: Pick<RecordFile, 'header' | 'images'>, measured: MeasuredSet, dialogue: Dialogue) {
  const { dataset, split, protocols } = file.header;
  const benchmark = benchmarkNamed(file.header.benchmark);
  const protocol = protocols.find((each) => each === 'strict') ?? (protocols[0] as GresProtocol);
  const records = recordsOf(file.images, protocol);
  const failures = findFailures(records);
  const calibrated = calibrationProtocol(protocols);
  const calibration = calibrate(recordsOf(file.images, calibrated));
  const { tables, whyNone } = publicationOf(file, measured, recordedResults(file), dialogue);
  return {
    dataset,
    split,
    /** Protocol of breakdown and failures. */
    protocol,
    measured: measuredWords(measured),
    /** None where images, expressions or rules of the run are not the published ones. */
    published: tables,
    whyNoTable: whyNone,
    breakdowns: breakDown(benchmark, protocol, records),
    /** The worst first. */
    images: imageFigures(benchmark, protocol, records),
    calibration: calibration === null ? null : { ...calibration, protocol: calibrated },
    failureKinds: summarizeFailures(failures),
    /** The dearest first. */
    failures,
  };
}

/**
 * Teacher-forced probabilities depend on no earlier decision of the model, so free answers are used only without
 * others.
 */
export function calibrationProtocol(protocols: readonly GresProtocol[]): GresProtocol {
  return protocols.find((protocol) => protocol !== 'generate') ?? 'generate';
}

/** The dearest failures of each kind, all in the order of their cost. */
export function worstOfEachKind(failures: readonly Failure[], ofEach: number): Failure[] {
  const chosen = FAILURE_KINDS.flatMap((kind) => failures.filter((each) => each.kind === kind).slice(0, ofEach));
  return failures.filter((failure) => chosen.includes(failure));
}

/** Fewer points than those from which a plot is smoothed. */
const PLOT_POINTS = 80;

/** The trade between rejecting too much and too little, and the effect of each threshold. */
export function calibrationPlots({ curve, best, standard }: Calibration): LinePlot[] {
  const steps = Math.max(1, Math.ceil(curve.length / (PLOT_POINTS - 1)));
  const thinned = curve.filter((_, i) => i % steps === 0 || i === curve.length - 1);
  const thresholds = Array.from({ length: PLOT_POINTS }, (_, i) => i / (PLOT_POINTS - 1));
  const at = (threshold: number) => curve.find(({ upTo }) => threshold <= upTo);
  return [
    {
      title: 'Rejecting too little against too much',
      xLabel: 'T-acc (present targets accepted)',
      yLabel: 'N-acc (absent targets rejected)',
      yRange: 'fraction',
      series: [
        { name: 'all thresholds', points: thinned.map(({ N_acc, T_acc }) => [T_acc, N_acc]) },
        { name: `best: ${best.threshold.toFixed(3)}`, points: [[best.T_acc, best.N_acc]] },
        { name: '0.5', points: [[standard.T_acc, standard.N_acc]] },
      ],
    },
    {
      title: 'By threshold',
      xLabel: 'rejected from this probability of [REJ] on',
      yLabel: 'fraction of 1',
      yRange: 'fraction',
      series: [
        { name: 'N-acc', points: thresholds.map((t) => [t, at(t)?.N_acc ?? NaN]) },
        { name: 'T-acc', points: thresholds.map((t) => [t, at(t)?.T_acc ?? NaN]) },
      ],
    },
  ];
}

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
  const tables = breakdowns.map(({ title, groups }) => figureTable(title, groups));
  if (worst.length === 0) return tables;
  const rows = worst.map(({ fileName, result }) => ({ name: fileName, result }));
  return [...tables, figureTable('The worst images', rows)];
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
