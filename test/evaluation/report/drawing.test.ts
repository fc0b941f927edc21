import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import sharp from 'sharp';
import { UserError } from '../../../src/errors.js';
import { displayScale, expressionColor, overlayMasks, scaledImage } from '../../../src/evaluation/report/overlay.js';
import { type LinePlot, linePlotSvg } from '../../../src/evaluation/report/line-plot.js';
import { axisScale } from '../../../src/evaluation/report/line-scale.js';
import { PIXEL_FONT } from '../../../src/evaluation/report/svg-text.js';
import { Random } from '../../../src/random.js';
import type { BinaryMask, RgbImage } from '../../../src/types.js';

function noise(height: number, width: number): RgbImage {
  const random = new Random(1);
  return { data: Uint8Array.from({ length: height * width * 3 }, () => random.integer(256)), height, width };
}

function square(height: number, width: number, from: number, to: number): BinaryMask {
  const inside = (i: number): boolean => i >= from && i < to;
  const data = Uint8Array.from({ length: height * width }, (_, i) =>
    inside(i % width) && inside(Math.floor(i / width)) ? 1 : 0,
  );
  return { data, height, width };
}

describe('enlarging', () => {
  test('a flat image stays flat, and every other one keeps its mean', () => {
    const flat = scaledImage({ data: new Uint8Array(4 * 5 * 3).fill(77), height: 4, width: 5 }, 3);
    expect([flat.height, flat.width, new Set(flat.data)]).toEqual([12, 15, new Set([77])]);
    const mean = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => a + b, 0) / values.length;
    const image = noise(9, 6);
    expect(Math.abs(mean(scaledImage(image, 4).data) - mean(image.data))).toBeLessThan(3);
  });

  test('a strip keeps at least one pixel a side when it is made smaller', () => {
    const [wide, tall] = [scaledImage(noise(2, 400), 0.1), scaledImage(noise(400, 2), 0.1)];
    expect([wide.height, wide.width, tall.height, tall.width]).toEqual([1, 40, 40, 1]);
  });

  test('odd factors pass through the original samples', () => {
    const image = noise(5, 7);
    const large = scaledImage(image, 3);
    expect([large.height, large.width]).toEqual([15, 21]);
    for (let y = 0; y < 5; y++) {
      for (let x = 0; x < 7 * 3; x++) {
        const [column, channel] = [Math.floor(x / 3), x % 3];
        expect(large.data[((3 * y + 1) * 21 + 3 * column + 1) * 3 + channel]).toBe(image.data[y * 21 + x]);
      }
    }
  });

  test('small images are enlarged, photographs are not', () => {
    expect(displayScale({ height: 128, width: 96 })).toBe(3);
    expect(displayScale({ height: 480, width: 640 })).toBe(1);
    expect(displayScale({ height: 1, width: 1 })).toBe(8);
  });
});

describe('overlayMasks', () => {
  test('tints the inside with the colour, outlines it, and fades what is far outside to grey', async () => {
    const image = { data: new Uint8Array(40 * 40 * 3).fill(100), height: 40, width: 40 };
    const out = await overlayMasks(image, [{ mask: square(40, 40, 10, 30), color: '#ff0000' }], { scale: 2 });
    expect([out.height, out.width]).toEqual([80, 80]);
    const at = (x: number, y: number): number[] => [...out.data.subarray((y * 80 + x) * 3, (y * 80 + x) * 3 + 3)];
    const [centre, edge, far] = [at(40, 40), at(20, 40), at(4, 4)];
    expect(edge).toEqual([255, 0, 0]);
    expect(centre[0]).toBeGreaterThan((centre[1] ?? 0) + 60);
    expect(far[0]).toBe(far[2]);
    expect(at(19, 40)[1]).toBeGreaterThan(far[1] ?? 255);
  });

  test('without masks it is the faded image, and the input is untouched', async () => {
    const image = noise(6, 6);
    const before = image.data.slice();
    expect((await overlayMasks(image, [])).data).toHaveLength(image.data.length);
    expect(image.data).toEqual(before);
  });

  test('a picture that is wider than one SVG may be is drawn without seams', async () => {
    const [height, width] = [4, 40_000];
    const image = { data: new Uint8Array(height * width * 3).fill(100), height, width };
    const data = Uint8Array.from({ length: height * width }, (_, i) =>
      Number(i % width >= 16_000 && i % width < 39_000),
    );
    const out = await overlayMasks(image, [{ mask: { data, height, width }, color: '#ff0000' }]);
    expect([out.height, out.width]).toEqual([height, width]);
    const at = (x: number): number[] => [...out.data.subarray((width + x) * 3, (width + x) * 3 + 3)];
    // The outline of so large a picture covers all four rows.
    for (const x of [16_100, 16_383, 16_384, 32_767, 32_768, 38_900]) expect(at(x)).toEqual([255, 0, 0]);
    for (const x of [0, 15_900, 39_100, width - 1]) expect(at(x)).toEqual(at(0));
    expect(at(0)[0]).toBe(at(0)[1]);
    const seam = out.data.subarray(16_300 * 3, 16_500 * 3);
    expect(seam.every((value, i) => value === seam[i % 3])).toBe(true);
  });

  test('a mask of another size is refused', async () => {
    const layers = [{ mask: square(6, 4, 0, 2), color: '#000' }];
    await expect(overlayMasks(noise(4, 6), layers)).rejects.toThrow(UserError);
  });
});

test('the first sixty expressions have sixty colours', () => {
  const colors = Array.from({ length: 60 }, (_, i) => expressionColor(i));
  expect(new Set(colors).size).toBe(60);
  for (const color of colors) expect(color).toMatch(/^(?:#[0-9a-f]{6}|hsl\([\d.]+, 75%, 50%\))$/);
});

test('the pixel font has five columns for each printable ASCII letter, all different', () => {
  expect(PIXEL_FONT.size).toBe(95);
  expect(PIXEL_FONT.has(' ') && PIXEL_FONT.has('~')).toBe(true);
  for (const columns of PIXEL_FONT.values()) {
    expect(columns).toHaveLength(5);
    expect(columns.every((bits) => bits >= 0 && bits < 256)).toBe(true);
  }
  expect(new Set([...PIXEL_FONT.values()].map(String)).size).toBe(95);
});

describe('line plots', () => {
  const hostileText = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom(']]><script>', '&#0;', '"\'<', '\ud800'));
  const anyNumber = fc.oneof(fc.double(), fc.integer({ min: -5, max: 5 }), fc.constantFrom(1e-300, 1e300, -1e300));

  test('axes cover the values with a handful of increasing ticks', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: -1e12, max: 1e12, noNaN: true })),
        fc.constantFrom('round', 'exact'),
        (values, fit) => {
          const axis = axisScale(values, 5, fit);
          const slack = (axis.max - axis.min) * 1e-6;
          expect(axis.max).toBeGreaterThan(axis.min);
          for (const value of values) {
            expect(value).toBeGreaterThanOrEqual(axis.min - slack);
            expect(value).toBeLessThanOrEqual(axis.max + slack);
          }
          expect(axis.ticks.length).toBeGreaterThanOrEqual(2);
          expect(axis.ticks.length).toBeLessThanOrEqual(9);
          expect([...axis.ticks].sort((a, b) => a - b)).toEqual(axis.ticks);
          expect(new Set(axis.ticks.map((tick) => axis.format(tick))).size).toBe(axis.ticks.length);
        },
      ),
      { seed: 1, numRuns: 500 },
    );
  });

  test('a constant is shown against 0, a place among its neighbours, updates at whole numbers, figures from 0 to 1', () => {
    expect(axisScale([0.5, 0.5], 5, 'exact')).toMatchObject({ min: 0, max: 0.625 });
    expect(axisScale([-2], 5, 'exact')).toMatchObject({ min: -2.5, max: 0 });
    expect(axisScale([0, 0], 5, 'exact')).toMatchObject({ min: 0, max: 1 });
    const updates = axisScale([1], 7, 'exact', { whole: true });
    expect([updates.min, updates.max, updates.ticks]).toEqual([0, 2, [0, 1, 2]]);
    expect(axisScale([4, 5, 6], 7, 'exact', { whole: true }).ticks).toEqual([4, 5, 6]);
    expect(axisScale([0.7, 0.8], 5, 'round', { least: [0, 1] })).toMatchObject({ min: 0, max: 1 });
    expect(axisScale([-3, -6], 5, 'round')).toMatchObject({ min: -6, max: -3 });
    const rates = axisScale([0, 3e-5], 5, 'round', { least: [0, 0] });
    expect(rates.ticks.map((tick) => rates.format(tick))).toEqual(['0', '1e-5', '2e-5', '3e-5']);
  });

  const plotOf = (values: readonly number[], more: Partial<LinePlot> = {}): string =>
    linePlotSvg({
      title: 'Loss',
      xLabel: 'update',
      yLabel: 'loss',
      series: [{ name: 'a', points: values.map((value, i) => [i + 1, value]) }],
      ...more,
    });

  test('one outlier does not flatten the others: it is marked and counted, and in no mean', () => {
    const values = Array.from({ length: 200 }, (_, i) => 2 + Math.sin(i));
    const spiked = plotOf(values.map((value, i) => (i === 100 ? 9000 : value)));
    expect(spiked).toContain('running means; 1 beyond the axis, to 9000');
    expect(spiked.match(/class="beyond"/g)).toHaveLength(1);
    const ticks = (svg: string): string[] =>
      [...svg.matchAll(/text-anchor="end">([^<]*)</g)].map(([, text]) => text ?? '');
    expect(ticks(spiked).slice(-4)).toEqual(ticks(plotOf(values)).slice(-4));
    const means = (svg: string): string | undefined =>
      [...svg.matchAll(/<path stroke="[^"]*" d="([^"]*)"/g)].at(-1)?.[1];
    expect(means(spiked)).toBe(means(plotOf(values.map((value, i) => (i === 100 ? NaN : value)))));
    // A loss that falls from far above is no outlier.
    expect(plotOf(Array.from({ length: 200 }, (_, i) => 12 * 0.98 ** i))).not.toContain('beyond the axis');
    expect(plotOf([1, NaN, 3])).toContain('1 without a finite value');
  });

  test('what is set is drawn as it is: the peak of a learning rate stays, and its warm-up is a band', () => {
    const rates = Array.from({ length: 5000 }, (_, i) => (i < 10 ? i / 10 : (5000 - i) / 4990));
    const bands = [{ from: 0, to: 10, name: 'warm-up' }];
    const svg = plotOf(rates, { isExact: true, yRange: 'zero', bands });
    expect(svg).not.toContain('running means');
    expect(svg).toMatch(/<rect class="band"[^>]*>\s*<text[^>]*>warm-up</);
    const top = /<rect class="band"[^>]* y="([\d.]+)"/.exec(svg)?.[1];
    const path = /<path stroke="[^"]*" d="([^"]*)"/.exec(svg)?.[1] ?? '';
    const heights = [...path.matchAll(/ ([\d.]+)/g)].map(([, y]) => Number(y));
    expect(Math.min(...heights)).toBe(Number(top));
    expect(heights.length).toBeLessThan(1000);
    const smoothed = plotOf(rates);
    expect(smoothed).toContain('running means');
  });

  test('any text and any numbers give a picture that an XML parser accepts, without NaN', async () => {
    const plots = fc.record({
      title: hostileText,
      xLabel: hostileText,
      yLabel: hostileText,
      series: fc.array(fc.record({ name: hostileText, points: fc.array(fc.tuple(anyNumber, anyNumber)) }), {
        maxLength: 3,
      }),
    });
    await fc.assert(
      fc.asyncProperty(plots, async (plot) => {
        const svg = linePlotSvg(plot);
        for (const attribute of svg.matchAll(/ (?:d|x|y|x1|x2|y1|y2|cx|cy)="([^"]*)"/g)) {
          expect(attribute[1]).not.toMatch(/NaN|Infinity/);
        }
        expect((await sharp(Buffer.from(svg)).metadata()).width).toBe(640);
      }),
      { seed: 2, numRuns: 60 },
    );
  });

  test('a broken value breaks the line, a long series stays small', () => {
    const gap = linePlotSvg({
      title: '',
      xLabel: '',
      yLabel: '',
      series: [
        {
          name: 'a',
          points: [
            [0, 1],
            [1, 2],
            [2, NaN],
            [3, 1],
            [4, 3],
          ],
        },
      ],
    });
    expect(/d="([^"]*)"/.exec(gap)?.[1]?.match(/M/g)).toHaveLength(2);
    const points = Array.from({ length: 100_000 }, (_, i) => [i, Math.sin(i)] as const);
    expect(linePlotSvg({ title: '', xLabel: '', yLabel: '', series: [{ name: 'a', points }] }).length).toBeLessThan(
      40_000,
    );
  });
});
