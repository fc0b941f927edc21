/**
 * The report of a run as a folder: report.html (one self-contained page), report.md with the pictures beside it
 * (samples/, plots/), and report.json for programs.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { UserError, messageOf } from '../../errors.js';
import { writeFileAtomic } from '../../io/atomic-file.js';
import type { RgbImage } from '../../types.js';
import { renderHtml } from './html-report.js';
import type { PictureUris } from './html-report.js';
import { renderJson } from './json-report.js';
import { linePlotSvg } from './line-plot.js';
import { renderMarkdown } from './markdown-report.js';
import { panelPng } from './panel.js';
import type { ReportData } from './report-data.js';
import { drawSample } from './sample-pictures.js';

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
  writeFileAtomic(join(dir, 'report.json'), renderJson(data));
  writeFileAtomic(join(dir, 'report.md'), renderMarkdown(data, panels, plots));
  await writeReportPage(join(dir, 'report.html'), data);
}

/**
 * Writes the one page alone.
 * @throws UserError as `writeReport`
 */
export async function writeReportPage(path: string, data: ReportData): Promise<void> {
  const pictures: PictureUris[] = [];
  for (const sample of data.samples) {
    const drawn = drawSample(sample);
    pictures.push({
      image: await dataUri(drawn.image),
      truth: drawn.truth === null ? null : await dataUri(drawn.truth),
      prediction: await dataUri(drawn.prediction),
    });
  }
  writeFileAtomic(path, renderHtml(data, pictures));
}

/** JPEG without chroma subsampling: a quarter of PNG's size on noisy scenes, and coloured outlines stay sharp. */
async function dataUri(image: RgbImage): Promise<string> {
  const { data, height, width } = image;
  const bytes = await sharp(data, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: 88, chromaSubsampling: '4:4:4' })
    .toBuffer();
  return `data:image/jpeg;base64,${bytes.toString('base64')}`;
}
