/** The part of report.md that says where a run is good, how well it rejects and what went wrong. */
import { FAILURE_MEANING } from '../failures.js';
import type { Result } from '../records/record-figures.js';
import { calibrationPlots, type ReportAnalysis } from './analysis-data.js';
import {
  CALIBRATION_NOTE,
  DASH_NOTE,
  FAILURE_NOTE,
  SHOWN_IMAGES,
  answerWords,
  calibrationSentence,
  figureColumns,
} from './analysis-words.js';
import type { PublishedTable } from './published-tables.js';
import { formatFigure } from './report-data.js';
import { escapeMarkdown } from './text-escape.js';

/** Paths relative to the page, one per plot of the calibration and one per scene. */
export interface AnalysisPictures {
  readonly plots: readonly string[];
  readonly scenes: readonly string[];
}

/** Sections of the page. */
export function analysisSections(analysis: ReportAnalysis, pictures: AnalysisPictures): string[] {
  return [
    ...publishedSection(analysis),
    ...breakdownSection(analysis),
    ...rejectionSection(analysis, pictures.plots),
    ...failureSection(analysis, pictures.scenes),
  ];
}

function publishedSection({ published, whyNoTable }: ReportAnalysis): string[] {
  if (published.length > 0) return ['## Next to the paper', ...published.flatMap(publishedTable)];
  return whyNoTable === null ? [] : [escapeMarkdown(whyNoTable)];
}

function publishedTable({ title, head, rows, note }: PublishedTable): string[] {
  const lines = rows.map(({ cells, isOurs }) =>
    cells.map((cell) => (isOurs ? `**${escapeMarkdown(cell)}**` : escapeMarkdown(cell))),
  );
  return [
    `${escapeMarkdown(title)} of the paper, in percent.`,
    table(head.map(escapeMarkdown), lines),
    escapeMarkdown(note),
  ];
}

function breakdownSection({ breakdowns, images, protocol }: ReportAnalysis): string[] {
  const worst = images.filter(({ result }) => (result.gIoU ?? 1) < 1).slice(0, SHOWN_IMAGES);
  const worstRows = worst.map(({ fileName, result }) => [fileName, result] as const);
  return [
    '## Breakdown',
    escapeMarkdown(`Protocol ${protocol}. ${DASH_NOTE}`),
    ...breakdowns.map(({ title, groups }) =>
      figureTable(
        title,
        groups.map(({ name, result }) => [name, result]),
      ),
    ),
    ...(worst.length === 0 ? [] : [figureTable('The worst images', worstRows)]),
  ];
}

function figureTable(title: string, rows: readonly (readonly [string, Result])[]): string {
  const columns = figureColumns(rows.map(([, result]) => result));
  return table(
    [escapeMarkdown(title), ...columns.map(({ name }) => name)],
    rows.map(([name, result]) => [escapeMarkdown(name), ...columns.map(({ cell }) => cell(result))]),
  );
}

function rejectionSection({ calibration }: ReportAnalysis, plots: readonly string[]): string[] {
  if (calibration === null) return [];
  const titles = calibrationPlots(calibration).map(({ title }) => title);
  return [
    '## Rejection',
    escapeMarkdown(calibrationSentence(calibration)),
    ...plots.map((path, i) => `![${escapeMarkdown(titles[i] ?? '')}](${path})`),
    escapeMarkdown(CALIBRATION_NOTE),
  ];
}

function failureSection({ failureKinds, scenes, protocol }: ReportAnalysis, paths: readonly string[]): string[] {
  if (failureKinds.length === 0) return [];
  const rows = failureKinds.map(({ kind, count, cost }) => [
    kind,
    escapeMarkdown(FAILURE_MEANING[kind]),
    String(count),
    formatFigure(cost),
  ]);
  return [
    '## Failures',
    table(['Kind', 'What it is', 'Expressions', 'Cost'], rows, 2),
    escapeMarkdown(`Protocol ${protocol}. ${FAILURE_NOTE}`),
    ...scenes.flatMap(({ failure, expressions }, i) => [
      `### ${failure.kind}: ${escapeMarkdown(failure.record.expression)}`,
      `![Ground truth and prediction](${paths[i] ?? ''})`,
      [
        `- costs ${failure.cost.toFixed(5)} gIoU, ${escapeMarkdown(failure.record.fileName)}`,
        ...expressions.map(
          ({ record }) => `- ${escapeMarkdown(record.expression)}: ${escapeMarkdown(answerWords(record))}`,
        ),
      ].join('\n'),
    ]),
  ];
}

/** @param left columns aligned left, the others right */
function table(head: readonly string[], rows: readonly (readonly string[])[], left = 1): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, i) => (i < left ? '---' : '---:'))), ...rows.map(line)].join('\n');
}
