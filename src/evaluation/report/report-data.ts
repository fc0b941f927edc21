/** Content of a report, and the verdict about each expression. */
import { UserError } from '../../errors.js';
import { IMAGE_PLACEHOLDER } from '../../special-tokens.js';
import type { ReferringTarget, RgbImage, SegmentResult } from '../../types.js';
import { metricTitle } from '../figures.js';
import { iouOf, maskOverlap } from '../metrics/mask-overlap.js';
import type { ReportAnalysis } from './analysis-data.js';
import type { LinePlot } from './line-plot.js';

export interface MetricRow {
  /** Time of measuring: 'before training', 'after training'. */
  readonly stage: string;
  /** 'strict', 'reference', 'generate', or another name of the row. */
  readonly protocol: string;
  /** Fractions of 1 by name (gIoU, cIoU, N_acc, T_acc, ...); null for an undecided figure. */
  readonly metrics: Readonly<Record<string, number | null>>;
}

/** One image with one question about it. */
export interface ReportSample {
  readonly image: RgbImage;
  readonly question: string;
  readonly answer: string;
  readonly results: readonly SegmentResult[];
  /** Number of `results`, from the start, that were asked for; default all. The others are parts of a free answer. */
  readonly asked?: number;
  /** Ground truth in the order of `results`, if any. */
  readonly targets: readonly ReferringTarget[];
}

export interface ReportData {
  readonly title: string;
  /** A warning before everything, where the figures are no result. */
  readonly notice?: string;
  readonly model: string;
  readonly config: string;
  readonly checkpoint: string;
  readonly engine: string;
  readonly date: Date;
  /** Wall time of the whole run. */
  readonly seconds: number;
  /** Further facts to show: data set, counts, seeds. */
  readonly details: readonly (readonly [name: string, value: string])[];
  readonly rows: readonly MetricRow[];
  readonly plots: readonly LinePlot[];
  readonly samples: readonly ReportSample[];
  /** Analysis of an evaluation whose results were recorded. */
  readonly analysis?: ReportAnalysis;
}

/** Quality of an answer: 'inexact' is the right decision with a mask of IoU below 0.5; null without ground truth. */
export type Verdict = 'right' | 'inexact' | 'wrong' | null;

export interface ExpressionOutcome {
  readonly result: SegmentResult;
  readonly verdict: Verdict;
  /** In [0, 1], of a mask for a present target. */
  readonly iou: number | null;
  readonly words: string;
}

/** Judges every expression of a sample. @throws UserError when targets do not match the results one by one */
export function judgeSample({ question, results, targets }: ReportSample): ExpressionOutcome[] {
  if (targets.length === 0) {
    return results.map((result) => ({ result, verdict: null, iou: null, words: STATUS_WORDS[result.status] }));
  }
  if (targets.length !== results.length) {
    throw new UserError(
      `Writing the report: "${question}" has ${results.length} results but ${targets.length} targets.`,
    );
  }
  return results.map((result, index) => {
    const target = targets[index];
    if (target?.expression !== result.expression) {
      throw new UserError(
        `Writing the report: result ${index + 1} is for "${result.expression}", ` +
          `its target for "${target?.expression ?? ''}". Both lists must have the same order.`,
      );
    }
    return judge(result, target);
  });
}

const STATUS_WORDS = {
  segmented: 'segmented',
  'empty-mask': 'segmented, but no pixel',
  rejected: 'rejected',
  'no-seg-token': 'not answered',
} as const;

function judge(result: SegmentResult, target: ReferringTarget): ExpressionOutcome {
  const { status, mask } = result;
  const outcome = (verdict: Verdict, words: string, iou: number | null = null) => ({ result, verdict, iou, words });
  if (status === 'no-seg-token') return outcome('wrong', 'not answered');
  if (status === 'rejected' && target.isEmpty) return outcome('right', 'rejected, rightly');
  if (status === 'rejected') return outcome('wrong', 'rejected, but it is there');
  if (target.isEmpty) return outcome('wrong', 'segmented, but nothing fits');
  const iou = iouOf(maskOverlap(mask, target.mask));
  return outcome(iou >= 0.5 ? 'right' : 'inexact', STATUS_WORDS[status], iou);
}

/** The question as the model got it, without the marks of the image. */
export function questionText(sample: ReportSample): string {
  return sample.question.split(IMAGE_PLACEHOLDER).join('').trim();
}

/** Further expressions of a heading are counted. */
const MOST_IN_HEADING = 6;

/** Expressions asked about, for a heading: “red circle”, “a dog” and 3 more. */
export function sampleHeading({ results: all, asked }: Pick<ReportSample, 'results' | 'asked'>): string {
  const results = all.slice(0, asked);
  const shown = results.slice(0, MOST_IN_HEADING).map(({ expression }) => `“${expression}”`);
  const more = results.length - shown.length;
  return shown.length === 0 ? 'no expression' : shown.join(', ') + (more > 0 ? ` and ${more} more` : '');
}

export function metricColumns(rows: readonly MetricRow[]): string[] {
  return [...new Set(rows.flatMap((row) => Object.keys(row.metrics)))];
}

/** Targets that decide figures; every expression decides the other figures. */
const DECIDE: Readonly<Record<string, readonly string[]>> = {
  'targets that are there': ['cIoU', 'oIoU', 'mIoU', 'Prec@0.5', 'T_acc'],
  'absent targets': ['N_acc', 'Acc'],
};

/** Explanation of the dashes among the figures; empty where there are none. */
function undefinedNote(all: readonly MetricRow['metrics'][]): string[] {
  const why = Object.entries(DECIDE).flatMap(([what, decided]) => {
    const undecided = decided.filter((name) => all.some((figures) => figures[name] === null));
    return undecided.length === 0 ? [] : [`${undecided.map(metricTitle).join(' and ')} without ${what}`];
  });
  return why.length === 0 ? [] : [`–: undefined (${why.join('; ')}).`];
}

export function formatDuration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${seconds < 10 ? seconds.toFixed(1) : whole} s`;
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
  const pad = (value: number): string => String(value).padStart(2, '0');
  return hours > 0 ? `${hours} h ${pad(minutes)} min` : `${minutes} min ${pad(whole % 60)} s`;
}

/** Name and value of everything that was fixed before measuring. */
export function reportFacts(data: ReportData): (readonly [string, string])[] {
  return [
    ['Model', data.model],
    ['Configuration', data.config],
    ['Checkpoint', data.checkpoint],
    ['Engine', data.engine],
    ['Finished', `${data.date.toISOString().slice(0, 16).replace('T', ' ')} UTC`],
    ['Time', formatDuration(data.seconds)],
    ...data.details,
  ];
}

const FIGURE_NOTES: Readonly<Record<string, string>> = {
  gIoU: 'mean IoU over expressions, a rightly rejected absent target counting as 1.',
  cIoU: 'all intersections over all unions.',
  gIoU_short: 'of queries that are phrases.',
  gIoU_long: 'of queries that are whole sentences.',
  oIoU: 'all intersections over all unions of targets that are there.',
  mIoU: 'mean IoU over targets that are there; on ADE20K over classes.',
  mIoU_as_reported: 'what the published code prints as mIoU: gIoU over all expressions.',
  Acc: 'absent targets for which nothing was drawn.',
  'Prec@0.5': 'targets of which the box is met with an IoU above 0.5.',
  N_acc: 'absent targets answered with [REJ].',
  T_acc: 'present targets answered with [SEG].',
};

export function protocolNote(rows: readonly MetricRow[]): string {
  const figures = metricColumns(rows).flatMap((name) => {
    const note = FIGURE_NOTES[name];
    return note === undefined ? [] : [`${metricTitle(name)}: ${note}`];
  });
  return [
    'Fractions of 1.',
    ...figures,
    ...undefinedNote(rows.map((row) => row.metrics)),
    'strict: a rejected expression has an empty mask. reference: as the published code counts, where a wrongly rejected ' +
      'target keeps the score of its mask. generate: as strict, on the answer that the model writes freely.',
  ].join(' ');
}
