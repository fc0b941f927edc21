/** The analysis in a report: every section in all three files, pictures in the manner of Figure 4, opened in Chromium. */
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import sharp from 'sharp';
import { writeRecordedReport, failureScenes, recordedSamples } from '../../../src/evaluation/report/recorded-report.js';
import { findFailures } from '../../../src/evaluation/breakdown.js';
import { GRES } from '../../../src/evaluation/benchmarks/benchmarks.js';
import { evaluate } from '../../../src/evaluation/evaluate.js';
import { recordsOf } from '../../../src/evaluation/records/record-figures.js';
import type { ImageRecord } from '../../../src/evaluation/records/record-types.js';
import { analyse, type FailureScene, worstOfEachKind } from '../../../src/evaluation/report/analysis-data.js';
import { expressionColor } from '../../../src/evaluation/report/overlay.js';
import { TABLES } from '../../../src/evaluation/report/published-figures.js';
import { drawScene, drawSceneSheet, nextToEachOther } from '../../../src/evaluation/report/scene-pictures.js';
import { measuredSet } from '../../../src/evaluation/report/measured-set.js';
import { GsvaDialogue } from '../../../src/systems/gsva/dialogue.js';
import { GSVA_VARIANT } from '../../../src/systems/shared/variant.js';
import type { BinaryMask, RgbImage } from '../../../src/types.js';
import { headerFor, RandomDataset, RandomResponder, recordFor } from '../random-run.js';

const folder = mkdtempSync(join(tmpdir(), 'gsva-analysis-'));
const out = join(folder, 'report');
const IMAGES = 24;
const dataset = new RandomDataset(folder, IMAGES);
const images: ImageRecord[] = [];
const header = headerFor(IMAGES, { model: '</dd><script>alert(1)</script>' });
const file = { header, images };

beforeAll(async () => {
  await dataset.writeFiles();
  await evaluate(GRES, dataset, new RandomResponder(0.9), {
    protocols: header.protocols,
    batch: 8,
    onImage: (image) => images.push(image),
  });
  expect(await writeRecordedReport(out, file, dataset, 'data/random')).toBe(`${out}/report.html`);
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const page = (name: string): string => readFileSync(join(out, name), 'utf8');

describe('the files', () => {
  test('report.html has every section, loads nothing and runs nothing', () => {
    const html = page('report.html');
    const titles = [...html.matchAll(/<h2>([^<]*)<\/h2>/g)].map((match) => match[1]);
    expect(titles).toEqual(['Evaluation', 'Breakdown', 'Rejection', 'Failures', 'Samples']);
    expect(html).not.toContain('<script');
    expect(html.match(/(?:src|href)="(?!data:image\/jpeg;base64,|#)/g)).toBeNull();
    const { failures, failureKinds } = analyse(
      file,
      measuredSet(header, IMAGES, dataset.images, 'data'),
      new GsvaDialogue(GSVA_VARIANT),
    );
    const shown = worstOfEachKind(failures, 4);
    expect(html.match(/<article class="scene view card/g)).toHaveLength(shown.length);
    for (const { kind } of failureKinds) expect(html).toContain(`for="kind-${kind.replaceAll(' ', '-')}"`);
    expect(html).toContain('<h1>GSVA on 24 images of grefcoco val</h1>');
    expect(html).toContain('24 images were measured, grefcoco val as published has 1,500');
    expect(html).toContain('strict, reference, generate');
  });

  test('report.md has the same, and its pictures exist', () => {
    const markdown = page('report.md');
    expect(markdown).toContain('No table of the paper is shown: 24 images were measured');
    for (const published of ['LISA', 'ReLA', '70.04', 'Table 1']) expect(markdown).not.toContain(published);
    const links = [...markdown.matchAll(/^!\[.*\]\((\S+)\)$/gm)].map((match) => match[1] ?? '');
    expect(links.filter((link) => link.startsWith('failures/')).length).toBeGreaterThan(3);
    expect(links.filter((link) => link.startsWith('plots/rejection'))).toHaveLength(2);
    for (const link of links) expect([link, existsSync(join(out, link))]).toEqual([link, true]);
  });

  test('report.json has every failure and image, without pixels', () => {
    const text = page('report.json');
    const { analysis } = JSON.parse(text) as { analysis: Record<string, unknown[]> };
    expect(analysis.failures).toHaveLength(findFailures(recordsOf(images, 'strict')).length);
    expect(analysis.images).toHaveLength(IMAGES);
    expect(analysis).not.toHaveProperty('scenes');
    expect(text).not.toContain('"mask"');
  });
});

describe('the paper beside it', () => {
  test('Table 1 as printed: 18 rows, LISA and GSVA in three sizes without and with finetuning', () => {
    expect(TABLES[1].rows).toHaveLength(18);
    const rowOf = (method: string): unknown => TABLES[1].rows.find(([name]) => name === method)?.slice(1);
    expect(rowOf('GSVA-Vicuna-7B (ft)')).toEqual([66.47, 63.29, 62.43, 71.08, 69.93, 65.31, 62.23, 60.47, 60.56]);
    expect(rowOf('CRIS')).toEqual([56.27, 55.34, null, 63.42, 63.82, null, 51.79, 51.04, null]);
  });

  test('every row of the tables has a figure for each column', () => {
    const tables = [TABLES[1], TABLES[2], TABLES[3], TABLES[5], TABLES[6], TABLES[8], TABLES[9]];
    expect(tables.map(({ rows }) => rows.length)).toEqual([18, 20, 14, 2, 4, 9, 2]);
    for (const { columns, rows } of tables) {
      for (const [, ...figures] of rows) expect(figures).toHaveLength(columns.length);
    }
    expect(TABLES[2].rows.at(-1)).toEqual(['GSVA-Llama2-13B (ft)', 79.2, 81.7, 77.1, 70.3, 73.8, 63.6, 75.7, 77]);
    expect(TABLES[3].rows.at(-1)).toEqual([
      'GSVA-Llama2-13B (ft)',
      89.16,
      92.08,
      87.17,
      79.74,
      84.45,
      73.41,
      85.47,
      86.18,
    ]);
    expect(TABLES[8].rows.at(-1)).toEqual(['GSVA-Vicuna-7B (ft)', 68.29, 68.13, 94.59]);
  });
});

describe('pictures of failures', () => {
  const size = 40;
  const grey: RgbImage = { data: new Uint8Array(size * size * 3).fill(100), height: size, width: size };
  const square = (at: number): BinaryMask => {
    const inside = (i: number): boolean => Math.abs((i % size) - at) < 6 && Math.abs(Math.floor(i / size) - at) < 6;
    return { data: Uint8Array.from({ length: size * size }, (_, i) => Number(inside(i))), height: size, width: size };
  };
  const none: BinaryMask = { ...square(0), data: new Uint8Array(size * size) };
  const sceneOf = (isAbsent: boolean): FailureScene => {
    const record = recordFor({ targetIsEmpty: isAbsent });
    return {
      failure: { kind: isAbsent ? 'false accept' : 'inexact', cost: 0.1, record },
      image: grey,
      expressions: [
        { record, target: isAbsent ? none : square(10), prediction: square(10) },
        { record: recordFor({ index: 1, answer: 'absent' }), target: square(30), prediction: square(30) },
      ],
    };
  };
  /** Of the enlarged picture, at a place of the image. */
  const pixel = ({ data, width }: RgbImage, at: number): number[] => {
    const scale = width / size;
    const start = (Math.floor((at + 0.5) * scale) * width + Math.floor((at + 0.5) * scale)) * 3;
    return [...data.subarray(start, start + 3)];
  };
  const isTinted = (found: readonly number[], by: number): boolean => {
    const color = [1, 3, 5].map((at) => parseInt(expressionColor(by).slice(at, at + 2), 16));
    const towards = color.map((value, i) => Math.sign(value - 100) * ((found[i] ?? 0) - 100));
    return towards.every((value) => value > 0);
  };

  const crop = ({ data, height, width }: RgbImage, to: number): Uint8Array => {
    const rows = Array.from({ length: height }, (_, y) => [...data.subarray(y * width * 3, (y * width + to) * 3)]);
    return Uint8Array.from(rows.flat());
  };

  test('each target has its colour, the image keeps its own; what was rejected is not drawn', async () => {
    const { truth, prediction } = await drawScene(sceneOf(false));
    expect(pixel(truth, 20)).toEqual([100, 100, 100]);
    expect([isTinted(pixel(truth, 10), 0), isTinted(pixel(truth, 30), 1)]).toEqual([true, true]);
    expect(isTinted(pixel(prediction, 10), 0)).toBe(true);
    expect(pixel(prediction, 30)).toEqual([100, 100, 100]);
    const both = nextToEachOther({ truth, prediction });
    expect([both.height, both.width]).toEqual([truth.height, 2 * truth.width + 8]);
    // What the others may cover stands alone in a second row.
    const sheet = await drawSceneSheet(sceneOf(false));
    expect([sheet.height, sheet.width]).toEqual([2 * truth.height + 8, both.width]);
    const below = { ...sheet, data: sheet.data.subarray((truth.height + 8) * sheet.width * 3), height: truth.height };
    const left = { data: crop(below, truth.width), height: truth.height, width: truth.width };
    expect([isTinted(pixel(left, 10), 0), pixel(left, 30)]).toEqual([true, [100, 100, 100]]);
  });

  test('the image is dark where the target is absent, and the mistake shines', async () => {
    const { truth, prediction } = await drawScene(sceneOf(true));
    expect(pixel(truth, 10)).toEqual([40, 40, 40]);
    expect(pixel(prediction, 20)).toEqual([40, 40, 40]);
    expect(pixel(prediction, 10)[0]).toBeGreaterThan(100);
  });

  test('samples and scenes are made from the records; other data is refused', async () => {
    const samples = await recordedSamples(dataset, images, 'strict', 5);
    expect(samples).toHaveLength(5);
    for (const { results, targets } of samples) {
      expect(results.map(({ expression }) => expression)).toEqual(targets.map(({ expression }) => expression));
      for (const { mask, area, box } of results) {
        expect(mask?.data.filter((value) => value === 1).length ?? 0).toBe(area);
        expect(box === null).toBe(area === 0);
      }
    }
    const failures = findFailures(recordsOf(images, 'strict')).slice(0, 6);
    const scenes = await failureScenes(dataset, images, failures);
    for (const [i, { failure, expressions }] of scenes.entries()) {
      expect(failure).toBe(failures[i]);
      expect(expressions[0]?.record).toBe(failure.record);
      expect(expressions.length).toBeLessThanOrEqual(4);
    }
    const other = new RandomDataset(folder, IMAGES, 9);
    await expect(failureScenes(other, images, failures)).rejects.toThrow(/the dataset has another one/);
  });
});

const chromium = ['chromium', 'chromium-browser', 'google-chrome'].find((name) => {
  try {
    execFileSync(name, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
});

describe('in a browser', () => {
  (chromium === undefined ? test.skip : test).each([
    ['a wide window', 1160],
    ['a narrow one', 500],
  ])('the page is drawn in Chromium: %s', async (_, width) => {
    const picture = join(folder, `page-${width}.png`);
    const flags = [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--hide-scrollbars',
      `--user-data-dir=${join(folder, 'profile')}`,
    ];
    const argv = [...flags, `--window-size=${width},8000`, `--screenshot=${picture}`, `file://${out}/report.html`];
    await promisify(execFile)(chromium ?? '', argv, { timeout: 100_000 });
    const { data, info } = await sharp(picture).removeAlpha().raw().toBuffer({ resolveWithObject: true });
    expect(info.width).toBe(width);
    // Light paper, dark ink, and the colours of masks: the pictures inside of the page were decoded and drawn.
    let [paper, ink, red] = [0, 0, 0];
    for (let i = 0; i < data.length; i += 3) {
      const [r, g, b] = [data[i] ?? 0, data[i + 1] ?? 0, data[i + 2] ?? 0];
      if (Math.min(r, g, b) > 240) paper++;
      if (Math.max(r, g, b) < 60) ink++;
      if (r > 200 && g < 110 && b < 130) red++;
    }
    const pixels = data.length / 3;
    expect(paper / pixels).toBeGreaterThan(0.4);
    expect(ink / pixels).toBeGreaterThan(0.003);
    expect(red).toBeGreaterThan(500);
  });
});
