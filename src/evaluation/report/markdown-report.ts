/** report.md: the report for a terminal, a pull request or a repository page; pictures lie next to it. */
import { metricTitle } from '../figures.js';
import {
  formatFigure,
  judgeSample,
  metricColumns,
  protocolNote,
  questionText,
  reportFacts,
  sampleHeading,
} from './report-data.js';
import { analysisSections, type AnalysisPictures } from './markdown-analysis.js';
import type { ReportData, ReportSample } from './report-data.js';
import { escapeMarkdown } from './text-escape.js';

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
    reportFacts(data)
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
  const columns = metricColumns(rows);
  const head = ['Protocol', 'Measured', ...columns.map((name) => escapeMarkdown(metricTitle(name)))];
  const table = [
    tableRow(head),
    tableRow(head.map((_, i) => (i < 2 ? '---' : '---:'))),
    ...rows.map((row) =>
      tableRow([
        escapeMarkdown(row.protocol),
        escapeMarkdown(row.stage),
        ...columns.map((name) => formatFigure(row.metrics[name])),
      ]),
    ),
  ];
  return ['## Evaluation', table.join('\n'), escapeMarkdown(protocolNote(rows))];
}

function sampleSection(sample: ReportSample, index: number, panel: string): string[] {
  const head = ['Expression', 'Answer', 'Verdict', 'IoU', 'P(reject)'];
  const rows = judgeSample(sample).map(({ result, verdict, iou, words }) =>
    tableRow([
      escapeMarkdown(result.expression),
      words,
      verdict ?? '–',
      formatFigure(iou),
      formatFigure(result.rejectProbability),
    ]),
  );
  return [
    `### ${index + 1}: ${escapeMarkdown(sampleHeading(sample))}`,
    picture(`Sample ${index + 1}`, panel),
    `Question: ${escapeMarkdown(questionText(sample))}`,
    `Answer: ${escapeMarkdown(sample.answer)}`,
    [tableRow(head), tableRow(['---', '---', '---', '---:', '---:']), ...rows].join('\n'),
  ];
}

function tableRow(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

function picture(title: string, path: string): string {
  return `![${escapeMarkdown(title)}](${path})`;
}
