import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { UserError } from '../../../src/errors.js';
import { renderHtml } from '../../../src/evaluation/report/html-report.js';
import { renderMarkdown } from '../../../src/evaluation/report/markdown-report.js';
import { panelPng, writePanelPng } from '../../../src/evaluation/report/panel.js';
import { formatFigure } from '../../../src/evaluation/figures.js';
import { formatDuration, judgeSample } from '../../../src/evaluation/report/report-data.js';
import type { ReportData, ReportSample } from '../../../src/evaluation/report/report-data.js';
import { escapeMarkdown, escapeMarkup } from '../../../src/evaluation/report/markup.js';
import { writeReport } from '../../../src/evaluation/report/write-report.js';
import type { BinaryMask, ReferringTarget, SegmentResult } from '../../../src/types.js';

const [HEIGHT, WIDTH] = [24, 32];

function maskOf(columns: number): BinaryMask {
  const data = Uint8Array.from({ length: HEIGHT * WIDTH }, (_, i) => (i % WIDTH < columns ? 1 : 0));
  return { data, height: HEIGHT, width: WIDTH };
}

function resultOf(expression: string, status: SegmentResult['status'], columns = 0): SegmentResult {
  const nothing = { mask: null, box: null, area: 0, score: 0 } as const;
  if (status === 'no-seg-token') return { expression, status, ...nothing, rejectProbability: null };
  if (status === 'rejected') return { expression, status, ...nothing, rejectProbability: 0.25 };
  const mask = maskOf(columns);
  if (status === 'empty-mask') return { expression, status, ...nothing, mask, rejectProbability: 0.25 };
  const box = [0, 0, columns, HEIGHT] as const;
  return { expression, status, mask, box, area: columns * HEIGHT, score: 0.9, rejectProbability: 0.25 };
}

function targetOf(expression: string, columns: number): ReferringTarget {
  return { expression, isEmpty: columns === 0, mask: maskOf(columns) };
}

const SCRIPT = '</bdi><script>alert(1)</script> | [x](http://a.b) \u0000 "q" \'s\' &amp;';

function sampleOf(text = SCRIPT): ReportSample {
  return {
    image: { data: new Uint8Array(HEIGHT * WIDTH * 3).fill(120), height: HEIGHT, width: WIDTH },
    question: `<image>\n What are ${text}in this image?`,
    answer: `Sure,${text}:[SEG].`,
    results: [resultOf('a', 'segmented', 16), resultOf(text, 'rejected'), resultOf('c', 'no-seg-token')],
    targets: [targetOf('a', 8), targetOf(text, 0), targetOf('c', 3)],
  };
}

function dataOf(samples: readonly ReportSample[] = [sampleOf()], text = SCRIPT): ReportData {
  return {
    title: text,
    model: text,
    config: 'configs/tiny.json5',
    checkpoint: 'checkpoints/tiny',
    engine: 'wasm',
    date: new Date('2025-01-02T03:04:05Z'),
    seconds: 125,
    details: [[text, text]],
    rows: [
      { stage: 'before training', protocol: 'strict', metrics: { gIoU: 0.1, cIoU: 0.2, N_acc: null, T_acc: 0.5 } },
      { stage: 'after training', protocol: 'strict', metrics: { gIoU: 0.6, cIoU: 0.15, N_acc: 0.8, [text]: 1 } },
      { stage: text, protocol: text, metrics: {} },
    ],
    plots: [
      {
        title: text,
        xLabel: text,
        yLabel: text,
        series: [
          {
            name: text,
            points: [
              [0, 1],
              [1, NaN],
              [2, 0.5],
            ],
          },
        ],
      },
    ],
    samples,
  };
}

describe('judgeSample', () => {
  test.each([
    ['segmented', 16, 16, 'right', 1],
    ['segmented', 16, 8, 'right', 0.5],
    ['segmented', 16, 4, 'inexact', 0.25],
    ['segmented', 16, 0, 'wrong', null],
    ['rejected', 0, 0, 'right', null],
    ['rejected', 0, 8, 'wrong', null],
    ['no-seg-token', 0, 0, 'wrong', null],
    ['no-seg-token', 0, 8, 'wrong', null],
  ] as const)('%s with %i columns for a target of %i is %s', (status, drawn, wanted, verdict, iou) => {
    const sample = { ...sampleOf(), results: [resultOf('a', status, drawn)], targets: [targetOf('a', wanted)] };
    expect(judgeSample(sample)).toMatchObject([{ verdict, iou }]);
  });

  test('without ground truth nothing is judged', () => {
    const outcomes = judgeSample({ ...sampleOf(), targets: [] });
    expect(outcomes.map((outcome) => outcome.verdict)).toEqual([null, null, null]);
  });

  test('targets that do not belong to the results are refused', () => {
    const sample = sampleOf();
    expect(() => judgeSample({ ...sample, targets: sample.targets.slice(1) })).toThrow(/3 results but 2 targets/);
    expect(() => judgeSample({ ...sample, targets: [...sample.targets].reverse() })).toThrow(UserError);
  });
});

describe('text that is not ours', () => {
  const hostile = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc
      .array(fc.constantFrom('<', '>', '"', "'", '&', '|', '`', '[', '](', '\\', '\n', '<img src=x onerror=y>', 'a'))
      .map((parts) => parts.join('')),
  );

  test('markup never gains an element or leaves an attribute', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const escaped = escapeMarkup(text);
        expect(escaped).not.toMatch(/[<>"']/);
        expect(escaped.replace(/&(?:amp|lt|gt|quot|#39);/g, '')).not.toContain('&');
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  test('a Markdown cell stays one cell without HTML', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const escaped = escapeMarkdown(text);
        expect(escaped).not.toMatch(/[\n\r<>]/);
        expect(escaped.replace(/\\./g, '')).not.toMatch(/[|`[\]\\]/);
      }),
      { seed: 2, numRuns: 300 },
    );
  });

  test('the page has the same elements whatever the texts say', () => {
    const tagsOf = (text: string): string[] =>
      renderHtml(dataOf([sampleOf(text)], text), ['data:image/jpeg;base64,']).match(/<\/?[a-z][^\s>]*/gi) ?? [];
    const plain = tagsOf('text');
    fc.assert(
      fc.property(hostile, (text) => {
        expect(tagsOf(`t${text}`).filter((tag) => !/^<\/?text/.test(tag))).toEqual(
          plain.filter((tag) => !/^<\/?text/.test(tag)),
        );
      }),
      { seed: 3, numRuns: 100 },
    );
  });
});

describe('writeReport', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'gsva-report-'));
  });
  afterEach(() => {
    rmSync(dir, { recursive: true });
  });

  test('writes a page that loads nothing, a Markdown page whose pictures exist, and JSON', async () => {
    const out = join(dir, 'new', 'folder');
    await writeReport(out, dataOf([sampleOf(), { ...sampleOf(), targets: [] }]));
    const html = readFileSync(join(out, 'report.html'), 'utf8');
    expect(html).not.toContain('<script');
    expect(html.match(/(?:src|href)="(?!data:image\/jpeg;base64,|#)/g)).toBeNull();
    expect(html.match(/<(link|iframe|object|embed)|@import|url\(/g)).toBeNull();
    expect(html.match(/<svg class="masks"/g)).toHaveLength(5);
    expect(html.match(/<image /g)).toHaveLength(2);
    expect(html).toContain('rejected, rightly');
    expect(html).toContain('+0.500');
    expect(html).toContain('−0.050');
    expect(html).toContain('2 min 05 s');

    const markdown = readFileSync(join(out, 'report.md'), 'utf8');
    const links = [...markdown.matchAll(/^!\[.*\]\((\S+)\)$/gm)].map((match) => match[1] ?? '');
    expect(links).toEqual(['plots/plot-01.svg', 'samples/sample-01.png', 'samples/sample-02.png']);
    for (const link of links) expect(existsSync(join(out, link))).toBe(true);

    const json = JSON.parse(readFileSync(join(out, 'report.json'), 'utf8')) as Record<string, unknown>;
    expect(json).toMatchObject({
      seconds: 125,
      date: '2025-01-02T03:04:05.000Z',
      rows: dataOf().rows,
      plots: [
        {
          series: [
            {
              points: [
                [0, 1],
                [1, null],
                [2, 0.5],
              ],
            },
          ],
        },
      ],
      samples: [
        {
          results: [
            { expression: 'a', status: 'segmented', verdict: 'right', iou: 0.5, targetIsEmpty: false },
            { expression: SCRIPT, status: 'rejected', verdict: 'right', iou: null, targetIsEmpty: true },
            { expression: 'c', status: 'no-seg-token', verdict: 'wrong', rejectProbability: null },
          ],
        },
        { results: [{ verdict: null, targetIsEmpty: null }, {}, {}] },
      ],
    });
  });

  test('an empty report is still a report', async () => {
    await writeReport(dir, { ...dataOf([]), rows: [], plots: [], details: [] });
    expect(readdirSync(dir).sort()).toEqual(['report.html', 'report.json', 'report.md']);
    expect(renderMarkdown({ ...dataOf([]), rows: [], plots: [] }, [], [])).not.toContain('##');
  });

  test('a place that is a file is named in the error', async () => {
    const path = join(dir, 'file');
    writeFileSync(path, '');
    await expect(writeReport(path, dataOf())).rejects.toThrow(UserError);
    await expect(writeReport(path, dataOf())).rejects.toThrow(path);
  });

  test('writePanelPng writes a PNG', async () => {
    await writePanelPng(join(dir, 'panel.png'), sampleOf());
    expect((await sharp(join(dir, 'panel.png')).metadata()).format).toBe('png');
  });
});

describe('panelPng', () => {
  test.each([true, false])('is drawn with the fonts of the system (%s) or without', async (systemFonts) => {
    const { data, info } = await sharp(await panelPng(sampleOf(), systemFonts))
      .raw()
      .toBuffer({ resolveWithObject: true });
    expect(info.width).toBeGreaterThanOrEqual(640);
    // Dark ink in the question's row, whichever way letters are drawn.
    const question = data.subarray(20 * info.width * info.channels, 45 * info.width * info.channels);
    expect(question.filter((value) => value < 80).length).toBeGreaterThan(300);
  });

  test('hundreds of expressions and endless words keep the picture small', async () => {
    const results = Array.from({ length: 300 }, (_, i) => resultOf(`${'w'.repeat(5000)} ${i}`, 'rejected'));
    const png = await panelPng({ ...sampleOf('x'.repeat(20_000)), results, targets: [] }, false);
    expect((await sharp(png).metadata()).height).toBeLessThan(2200);
  });
});

test('figures and durations are written for reading', () => {
  expect([0.12345, 1, null, undefined, NaN].map(formatFigure)).toEqual(['0.123', '1.000', '–', '–', '–']);
  expect([0.4, 59, 65, 3600 + 120].map(formatDuration)).toEqual(['0.4 s', '59 s', '1 min 05 s', '1 h 02 min']);
});
