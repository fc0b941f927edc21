/**
 * The report of a run as a folder: report.html (one self-contained page), report.md with the pictures next to it
 * (samples/, plots/, failures/), and report.json for programs.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { UserError, messageOf } from '../../errors.js';
import { writeFileAtomic } from '../../io/atomic/atomic-file.js';
import type { RgbImage } from '../../types.js';
import { calibrationPlots, type ReportAnalysis } from './analysis-data.js';
import { displayScale, enlargeImage } from './enlarge.js';
import { renderHtml } from './html-report.js';
import { renderJson } from './json-report.js';
import { linePlotSvg } from './line-plot.js';
import type { AnalysisPictures } from './markdown-analysis.js';
import { renderMarkdown } from './markdown-report.js';
import { panelPng } from './panel.js';
import type { ReportData } from './report-data.js';
import { drawSceneSheet } from './scene-pictures.js';

/**
 * Writes the report into `dir`, which is made when missing; files of an earlier report are replaced, each at once.
 * @throws UserError when the folder cannot be written or a sample's masks, results and targets do not fit together.
 */
export async function writeReport(dir: string, data: ReportData): Promise<void> {
  try {
    mkdirSync(dir, { recursive: true });
  } catch (error) {
    throw new UserError(`Cannot make the folder ${dir} for the report: ${messageOf(error)}. Choose another place.`);
  }
  const panels: string[] = [];
  for (const [index, sample] of data.samples.entries()) {
    const panel = `samples/sample-${String(index + 1).padStart(2, '0')}.png`;
    writeFileAtomic(join(dir, panel), await panelPng(sample));
    panels.push(panel);
  }
  const plots = data.plots.map((plot, index) => {
    const path = `plots/plot-${String(index + 1).padStart(2, '0')}.svg`;
    writeFileAtomic(join(dir, path), linePlotSvg(plot));
    return path;
  });
  const analysis = await writeAnalysis(dir, data.analysis);
  writeFileAtomic(join(dir, 'report.json'), renderJson(data));
  writeFileAtomic(join(dir, 'report.md'), renderMarkdown(data, panels, plots, analysis));
  const scenes = await imageUris(data.analysis?.scenes ?? []);
  writeFileAtomic(join(dir, 'report.html'), renderHtml(data, await imageUris(data.samples), scenes));
}

/**
 * Writes the page alone, for what has no analysis.
 * @throws UserError as `writeReport`
 */
export async function writeReportPage(path: string, data: ReportData): Promise<void> {
  writeFileAtomic(path, renderHtml(data, await imageUris(data.samples)));
}

/** The images of a page, small ones enlarged; masks are drawn over them by the page itself. */
async function imageUris(pictures: readonly { readonly image: RgbImage }[]): Promise<string[]> {
  const uris: string[] = [];
  for (const { image } of pictures) {
    const bytes = await jpeg(enlargeImage(image, displayScale(image)));
    uris.push(`data:image/jpeg;base64,${bytes.toString('base64')}`);
  }
  return uris;
}

/** The plots and pictures next to report.md. */
async function writeAnalysis(dir: string, analysis: ReportAnalysis | undefined): Promise<AnalysisPictures> {
  if (analysis === undefined) return { plots: [], scenes: [] };
  const curves = analysis.calibration === null ? [] : calibrationPlots(analysis.calibration);
  const plots = curves.map((plot, index) => {
    const path = `plots/rejection-${String(index + 1).padStart(2, '0')}.svg`;
    writeFileAtomic(join(dir, path), linePlotSvg(plot));
    return path;
  });
  const scenes: string[] = [];
  for (const [index, scene] of analysis.scenes.entries()) {
    const path = `failures/failure-${String(index + 1).padStart(2, '0')}.jpg`;
    writeFileAtomic(join(dir, path), await jpeg(drawSceneSheet(scene)));
    scenes.push(path);
  }
  return { plots, scenes };
}

/** JPEG without chroma subsampling: a quarter of PNG's size on noisy scenes, and coloured outlines stay sharp. */
function jpeg({ data, height, width }: RgbImage): Promise<Buffer> {
  return sharp(data, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: 88, chromaSubsampling: '4:4:4' })
    .toBuffer();
}
