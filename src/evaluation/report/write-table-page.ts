/** A page of tables as a folder: report.html, report.md with its plots next to it, report.json. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { UserError, messageOf } from '../../errors.js';
import { writeFileAtomic } from '../../io/atomic/atomic-file.js';
import { type LinePlot, linePlotSvg } from './line-plot.js';
import { tablePageHtml, tablePageMarkdown, type TablePage } from './table-page.js';

/**
 * @param json what report.json holds; numbers that are not finite become null
 * @returns path of the page
 * @throws UserError when the folder cannot be written
 */
export function writeTablePage(dir: string, page: TablePage, json: object): string {
  try {
    mkdirSync(dir, { recursive: true });
  } catch (error) {
    throw new UserError(`Cannot make the folder ${dir} for the report: ${messageOf(error)}. Choose another place.`);
  }
  const plots = new Map<LinePlot, string>();
  for (const plot of page.sections.flatMap((section) => section.plots)) {
    const path = `plots/plot-${String(plots.size + 1).padStart(2, '0')}.svg`;
    writeFileAtomic(join(dir, path), linePlotSvg(plot));
    plots.set(plot, path);
  }
  writeFileAtomic(join(dir, 'report.json'), `${JSON.stringify(json, null, 2)}\n`);
  writeFileAtomic(
    join(dir, 'report.md'),
    tablePageMarkdown(page, (plot) => plots.get(plot) ?? ''),
  );
  writeFileAtomic(join(dir, 'report.html'), tablePageHtml(page));
  return join(dir, 'report.html');
}
