/**
 * Reports as folders: report.html (one self-contained page), report.md with its pictures (samples/, plots/, failures/),
 * and report.json for programs.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { UserError, messageOf } from '../../errors.js';
import { writeFileAtomic } from '../../io/atomic/atomic-file.js';
import type { RgbImage } from '../../types.js';
import { type ReportAnalysis, calibrationPlots } from './analysis-data.js';
import { renderHtml } from './html-report.js';
import { htmlPage } from './html-style.js';
import { type LinePlot, linePlotSvg, plotCards } from './line-plot.js';
import { type AnalysisPictures, renderMarkdown } from './markdown-report.js';
import { escapeMarkdown, type Markup, markup, type PageTable, tableHtml, tableMarkdown } from './markup.js';
import { displayScale, scaledImage } from './overlay.js';
import { panelPng } from './panel.js';
import { type ReportData, judgeSample, sampleHeading } from './report-data.js';
import { drawSceneSheet } from './scene-pictures.js';

/**
 * Writes the report into `dir`, which is made when missing; files of an earlier report are replaced, each at once.
 * @throws UserError when the folder cannot be written or a sample's masks, results and targets do not match
 */
export async function writeReport(dir: string, data: ReportData): Promise<void> {
  makeReportFolder(dir);
  const panels: string[] = [];
  for (const sample of data.samples) {
    const panel = `samples/sample-${numbered(panels.length)}.png`;
    writeFileAtomic(join(dir, panel), await panelPng(sample));
    panels.push(panel);
  }
  const plots = writePlots(dir, data.plots);
  const analysis = await writeAnalysis(dir, data.analysis);
  writeFileAtomic(join(dir, 'report.json'), renderJson(data));
  writeFileAtomic(join(dir, 'report.md'), renderMarkdown(data, panels, plots, analysis));
  const scenes = await imageUris(data.analysis?.scenes ?? []);
  writeFileAtomic(join(dir, 'report.html'), renderHtml(data, await imageUris(data.samples), scenes));
}

function makeReportFolder(dir: string): void {
  try {
    mkdirSync(dir, { recursive: true });
  } catch (error) {
    throw new UserError(`Cannot make the folder ${dir} for the report: ${messageOf(error)}. Choose another place.`);
  }
}

function writePlots(dir: string, plots: readonly LinePlot[], name = 'plot'): string[] {
  return plots.map((plot, index) => {
    const path = `plots/${name}-${numbered(index)}.svg`;
    writeFileAtomic(join(dir, path), linePlotSvg(plot));
    return path;
  });
}

function numbered(index: number): string {
  return String(index + 1).padStart(2, '0');
}

/** Writes the page alone, without an analysis. @throws UserError as `writeReport` */
export async function writeReportPage(path: string, data: ReportData): Promise<void> {
  writeFileAtomic(path, renderHtml(data, await imageUris(data.samples)));
}

/** The images of a page, small ones enlarged; the page itself draws masks over them. */
async function imageUris(pictures: readonly { readonly image: RgbImage }[]): Promise<string[]> {
  const uris: string[] = [];
  for (const { image } of pictures) {
    const bytes = await jpeg(scaledImage(image, displayScale(image)));
    uris.push(`data:image/jpeg;base64,${bytes.toString('base64')}`);
  }
  return uris;
}

/** The plots and pictures next to report.md. */
async function writeAnalysis(dir: string, analysis: ReportAnalysis | undefined): Promise<AnalysisPictures> {
  if (analysis === undefined) return { plots: [], scenes: [] };
  const plots = analysis.calibration === null ? [] : calibrationPlots(analysis.calibration);
  const scenes: string[] = [];
  for (const scene of analysis.scenes) {
    const path = `failures/failure-${numbered(scenes.length)}.jpg`;
    writeFileAtomic(join(dir, path), await jpeg(await drawSceneSheet(scene)));
    scenes.push(path);
  }
  return { plots: writePlots(dir, plots, 'rejection'), scenes };
}

/** JPEG without chroma subsampling: a quarter of PNG's size on noisy scenes, and coloured outlines stay sharp. */
function jpeg({ data, height, width }: RgbImage): Promise<Buffer> {
  return sharp(data, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: 88, chromaSubsampling: '4:4:4' })
    .toBuffer();
}

/**
 * Indented JSON with a final newline. Undecided figures, points that are not finite, and the open ends of the
 * thresholds, are null.
 */
function renderJson(data: ReportData): string {
  const { samples, details, date, analysis, ...rest } = data;
  const report = {
    ...rest,
    date: date.toISOString(),
    details: Object.fromEntries(details),
    ...(analysis === undefined ? {} : { analysis: withoutPixels(analysis) }),
    samples: samples.map((sample) => ({
      heading: sampleHeading(sample),
      question: sample.question,
      answer: sample.answer,
      height: sample.image.height,
      width: sample.image.width,
      results: judgeSample(sample).map(({ result, verdict, iou }, index) => {
        const { expression, status, box, area, score, rejectProbability } = result;
        const targetIsEmpty = sample.targets[index]?.isEmpty ?? null;
        return { expression, status, verdict, targetIsEmpty, iou, box, area, score, rejectProbability };
      }),
    })),
  };
  // A point of a curve is one line, not four. Line breaks inside strings are escaped, so only lists match.
  const text = JSON.stringify(report, null, 2).replace(/\[\n\s+([^\s"{[]+),\n\s+([^\s"{[]+)\n\s+\]/g, '[$1, $2]');
  return `${text}\n`;
}

function withoutPixels({ scenes: _scenes, failures, ...analysis }: ReportAnalysis): object {
  return {
    ...analysis,
    failures: failures.map(({ kind, cost, record: { mask: _mask, ...record } }) => ({ kind, cost, ...record })),
  };
}

export interface PageSection {
  readonly title: string;
  readonly notes: readonly string[];
  readonly table: PageTable | null;
  readonly plots: readonly LinePlot[];
}

interface TablePage extends Pick<PageSection, 'title' | 'notes'> {
  readonly sections: readonly PageSection[];
}

/**
 * Writes a page of tables and plots for comparisons, which have no samples, into the folder `dir`: report.html, report.md
 * with its plots, report.json.
 * @param json content of report.json; numbers that are not finite become null
 * @returns path of the page
 * @throws UserError when the folder cannot be written
 */
export function writeTablePage(dir: string, page: TablePage, json: object): string {
  const { title, notes, sections } = page;
  makeReportFolder(dir);
  const plots = sections.flatMap((section) => section.plots);
  const paths = writePlots(dir, plots);
  writeFileAtomic(join(dir, 'report.json'), `${JSON.stringify(json, null, 2)}\n`);
  const markdown = tablePageMarkdown(page, (plot) => paths[plots.indexOf(plot)] ?? '');
  writeFileAtomic(join(dir, 'report.md'), markdown);
  writeFileAtomic(join(dir, 'report.html'), htmlPage(title, [...notes.map(noteHtml), ...sections.map(sectionHtml)]));
  return join(dir, 'report.html');
}

const noteHtml = (note: string): Markup => markup`<p class="note">${note}</p>`;

function sectionHtml({ title, notes, table, plots }: PageSection): Markup {
  return markup`<h2>${title}</h2>
${table === null ? null : markup`<div class="card">${tableHtml(table)}</div>`}
${plotCards(plots)}
${notes.map(noteHtml)}`;
}

function tablePageMarkdown({ title, notes, sections }: TablePage, pathOf: (plot: LinePlot) => string): string {
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
