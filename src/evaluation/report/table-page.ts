/** A page of tables and plots, as HTML that loads and runs nothing and as Markdown: for comparisons, which have no samples. */
import { REPORT_STYLE } from './html-style.js';
import { type LinePlot, linePlotSvg } from './line-plot.js';
import { escapeMarkdown, escapeMarkup } from './text-escape.js';

export interface PageTable {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** Columns aligned left; the others hold figures. */
  readonly left: number;
}

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

export function tablePageHtml({ title, notes, sections }: TablePage): string {
  const heading = escapeMarkup(title);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${heading}</title>
<style>
${REPORT_STYLE}
</style>
</head>
<body>
<main>
<h1>${heading}</h1>
${notes.map(noteHtml).join('\n')}
${sections.map(sectionHtml).join('\n')}
</main>
</body>
</html>
`;
}

function noteHtml(note: string): string {
  return `<p class="note">${escapeMarkup(note)}</p>`;
}

function sectionHtml({ title, notes, table, plots }: PageSection): string {
  const cards = plots.map((plot) => `<div class="card">${linePlotSvg(plot)}</div>`);
  return [
    `<h2>${escapeMarkup(title)}</h2>`,
    ...(table === null ? [] : [tableHtml(table)]),
    ...(cards.length === 0 ? [] : [`<div class="plots">\n${cards.join('\n')}\n</div>`]),
    ...notes.map(noteHtml),
  ].join('\n');
}

function tableHtml({ head, rows, left }: PageTable): string {
  const classOf = (column: number): string => (column < left ? '' : ' class="figure"');
  const heads = head.map((name, i) => `<th scope="col"${classOf(i)}>${escapeMarkup(name)}</th>`);
  const body = rows.map(
    (cells) => `<tr>${cells.map((cell, i) => `<td${classOf(i)}>${escapeMarkup(cell)}</td>`).join('')}</tr>`,
  );
  return `<div class="card scroll"><table class="dense">
<thead><tr>${heads.join('')}</tr></thead>
<tbody>
${body.join('\n')}
</tbody></table></div>`;
}

/** @param pathOf where a plot lies, relative to the page */
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

function tableMarkdown({ head, rows, left }: PageTable): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(escapeMarkdown).join(' | ')} |`;
  return [line(head), `| ${head.map((_, i) => (i < left ? '---' : '---:')).join(' | ')} |`, ...rows.map(line)].join(
    '\n',
  );
}
