/** report.md: the report for a terminal, a pull request or a repository page; pictures lie next to it. */
import { formatFigure, metricTitle } from '../figures.js';
import { calibrationPlots, type ReportAnalysis } from './analysis-data.js';
import * as words from './analysis-data.js';
import { escapeMarkdown, tableMarkdown } from './markup.js';
import * as report from './report-data.js';
import type { ReportData, ReportSample } from './report-data.js';

/** Paths relative to the page, one per plot of the calibration and one per scene. */
export interface AnalysisPictures {
  readonly plots: readonly string[];
  readonly scenes: readonly string[];
}

/** The page as text. `panels` and `plots` are paths relative to the page, one per sample and plot. */
export function renderMarkdown(
  data: ReportData,
  panels: readonly string[],
  plots: readonly string[],
  analysis: AnalysisPictures = { plots: [], scenes: [] },
): string {
  const sections = [
    `# ${escapeMarkdown(data.title)}`,
    ...(data.notice === undefined ? [] : [`> **${escapeMarkdown(data.notice)}**`]),
    report
      .reportFacts(data)
      .map(([name, value]) => `- **${escapeMarkdown(name)}:** ${escapeMarkdown(value)}`)
      .join('\n'),
    ...metricSection(data),
    ...(data.analysis === undefined ? [] : analysisSections(data.analysis, analysis)),
    ...(plots.length === 0
      ? []
      : ['## Training', ...plots.map((path, i) => picture(data.plots[i]?.title ?? '', path))]),
    ...(data.samples.length === 0 ? [] : ['## Samples']),
    ...data.samples.flatMap((sample, i) => sampleSection(sample, i, panels[i] ?? '')),
  ];
  return `${sections.join('\n\n')}\n`;
}

function metricSection({ rows }: ReportData): string[] {
  if (rows.length === 0) return [];
  const columns = report.metricColumns(rows);
  const table = tableMarkdown({
    head: ['Protocol', 'Measured', ...columns.map(metricTitle)],
    rows: rows.map((row) => [row.protocol, row.stage, ...columns.map((name) => formatFigure(row.metrics[name]))]),
    left: 2,
  });
  return ['## Evaluation', table, escapeMarkdown(report.protocolNote(rows))];
}

function analysisSections(analysis: ReportAnalysis, { plots, scenes: paths }: AnalysisPictures): string[] {
  const { published, whyNoTable, protocol, calibration, failureKinds, scenes } = analysis;
  return [
    ...(published.length === 0 ? [] : ['## Next to the paper']),
    ...published.flatMap((table) => [
      `${escapeMarkdown(table.title)} of the paper, in percent.`,
      tableMarkdown(words.publishedTable(table)),
      escapeMarkdown(table.note),
    ]),
    ...(published.length > 0 || whyNoTable === null ? [] : [escapeMarkdown(whyNoTable)]),
    '## Breakdown',
    escapeMarkdown(`Protocol ${protocol}. ${words.DASH_NOTE}`),
    ...words.breakdownTables(analysis).map(tableMarkdown),
    ...(calibration === null
      ? []
      : [
          '## Rejection',
          escapeMarkdown(words.calibrationSentence(calibration)),
          ...calibrationPlots(calibration).map(({ title }, i) => picture(title, plots[i] ?? '')),
          escapeMarkdown(words.CALIBRATION_NOTE),
        ]),
    ...(failureKinds.length === 0
      ? []
      : [
          '## Failures',
          tableMarkdown(words.failureTable(analysis)),
          escapeMarkdown(`Protocol ${protocol}. ${words.FAILURE_NOTE}`),
          ...scenes.flatMap(({ failure, expressions }, i) => [
            `### ${failure.kind}: ${escapeMarkdown(failure.record.expression)}`,
            picture('Ground truth and prediction', paths[i] ?? ''),
            [
              `- costs ${failure.cost.toFixed(5)} gIoU, ${escapeMarkdown(failure.record.fileName)}`,
              ...expressions.map(
                ({ record }) => `- ${escapeMarkdown(record.expression)}: ${escapeMarkdown(words.answerWords(record))}`,
              ),
            ].join('\n'),
          ]),
        ]),
  ];
}

function sampleSection(sample: ReportSample, index: number, panel: string): string[] {
  const table = tableMarkdown({
    head: ['Expression', 'Answer', 'Verdict', 'IoU', 'P(reject)'],
    rows: report.judgeSample(sample).map(({ result, verdict, iou, words }) => {
      return [result.expression, words, verdict ?? '–', formatFigure(iou), formatFigure(result.rejectProbability)];
    }),
    left: 3,
  });
  return [
    `### ${index + 1}: ${escapeMarkdown(report.sampleHeading(sample))}`,
    picture(`Sample ${index + 1}`, panel),
    `Question: ${escapeMarkdown(report.questionText(sample))}`,
    `Answer: ${escapeMarkdown(sample.answer)}`,
    table,
  ];
}

function picture(title: string, path: string): string {
  return `![${escapeMarkdown(title)}](${path})`;
}
