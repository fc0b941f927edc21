/**
 * A page of tables and plots for comparisons, which have no samples: report.html, report.md with its plots,
 * report.json.
 */
import { join } from 'node:path';
import { writeFileAtomic } from '../../io/atomic/atomic-file.js';
import { htmlPage } from './html-style.js';
import { type LinePlot, plotCards } from './line-plot.js';
import { escapeMarkdown, type Markup, markup } from './markup.js';
import { type PageTable, tableHtml, tableMarkdown } from './page-table.js';
import { makeReportFolder, writePlots } from './write-report.js';

export interface PageSection {
  readonly title: string;
  readonly notes: readonly string[];
  readonly table: PageTable | null;
  readonly plots: readonly LinePlot[];
}

export interface TablePage {
  readonly title: string;
  readonly notes: readonly string[];
  readonly sections: readonly PageSection[];
}

/**
 * Writes the page into the folder `dir`.
 * @param json content of report.json; numbers that are not finite become null
 * @returns path of the page
 * @throws UserError when the folder cannot be written
 */
export function writeTablePage(dir: string, page: TablePage, json: object): string {
  makeReportFolder(dir);
  const plots = page.sections.flatMap((section) => section.plots);
  const paths = writePlots(dir, plots);
  writeFileAtomic(join(dir, 'report.json'), `${JSON.stringify(json, null, 2)}\n`);
  writeFileAtomic(
    join(dir, 'report.md'),
    tablePageMarkdown(page, (plot) => paths[plots.indexOf(plot)] ?? ''),
  );
  writeFileAtomic(join(dir, 'report.html'), tablePageHtml(page));
  return join(dir, 'report.html');
}

export function tablePageHtml({ title, notes, sections }: TablePage): string {
  return htmlPage(title, [...notes.map(noteHtml), ...sections.map(sectionHtml)]);
}

function noteHtml(note: string): Markup {
  return markup`<p class="note">${note}</p>`;
}

function sectionHtml({ title, notes, table, plots }: PageSection): Markup {
  return markup`<h2>${title}</h2>
${table === null ? null : markup`<div class="card">${tableHtml(table)}</div>`}
${plotCards(plots)}
${notes.map(noteHtml)}`;
}

/** @param pathOf path of a plot, relative to the page */
export function tablePageMarkdown({ title, notes, sections }: TablePage, pathOf: (plot: LinePlot) => string): string {
  const parts = [
    `# ${escapeMarkdown(title)}`,
    ...notes.map(escapeMarkdown),
    ...sections.flatMap((section) => [
      `## ${escapeMarkdown(section.title)}`,
      ...(section.table === null ? [] : [tableMarkdown(section.table)]),
      ...section.plots.map((plot) => `![${escapeMarkdown(plot.title)}](${pathOf(plot)})`),
      ...section.notes.map(escapeMarkdown),
    ]),
  ];
  return `${parts.join('\n\n')}\n`;
}
