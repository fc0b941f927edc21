/** Masks as paths, and the page on which each can be chosen alone. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import sharp from 'sharp';
import { drawTiles } from '../../../src/evaluation/report/scene-pictures.js';
import { maskPath, expressionColor } from '../../../src/evaluation/report/overlay.js';
import { choice, viewPictures, viewRules } from '../../../src/evaluation/report/mask-view.js';
import type { BinaryMask, SegmentResult } from '../../../src/types.js';

const maskOf = (rows: readonly string[]): BinaryMask => ({
  data: Uint8Array.from(rows.join(''), (letter) => Number(letter === '#')),
  height: rows.length,
  width: rows[0]?.length ?? 0,
});

/** Twice the area within the loops of a path, in pixels. */
function areaOf(path: string): number {
  const loops = path.split('Z').filter((loop) => loop !== '');
  return loops.reduce((sum, loop) => {
    const points = loop
      .slice(1)
      .split('L')
      .map((pair) => pair.split(' ').map((value) => Number(value) / 2) as [number, number]);
    return points.reduce((total, [x, y], i) => {
      const [nx, ny] = points[(i + 1) % points.length] as [number, number];
      return total + x * ny - nx * y;
    }, sum);
  }, 0);
}

describe('maskPath', () => {
  test('an empty mask has none; a block is a loop with cut corners; a hole runs the other way', () => {
    expect(maskPath(maskOf(['...', '...']))).toBe('');
    // 2 × 2 pixels: corners of an eighth of a pixel are cut off.
    expect(areaOf(maskPath(maskOf(['....', '.##.', '.##.', '....'])))).toBe(2 * (4 - 4 / 8));
    const ring = maskPath(maskOf(['###', '#.#', '###']));
    expect(ring.match(/M/g)).toHaveLength(2);
    // The outer block less its corners, less the hole of one pixel less its corners.
    expect(areaOf(ring)).toBe(2 * (9 - 4 / 8 - (1 - 4 / 8)));
  });

  test('pixels that touch at a corner stay apart', () => {
    expect(maskPath(maskOf(['#.', '.#'])).match(/M/g)).toHaveLength(2);
    expect(maskPath(maskOf(['.#', '#.'])).match(/M/g)).toHaveLength(2);
  });

  test('drawn again, any mask is itself: its pixels’ centres lie inside, the others outside', async () => {
    const masks = fc.array(fc.boolean(), { minLength: 63, maxLength: 63 });
    await fc.assert(
      fc.asyncProperty(masks, async (bits) => {
        const [height, width, scale] = [7, 9, 8];
        const mask = { data: Uint8Array.from(bits, Number), height, width };
        const svg =
          `<svg xmlns="http://www.w3.org/2000/svg" width="${width * scale}" height="${height * scale}">` +
          `<path fill="#fff" transform="scale(${scale / 2})" d="${maskPath(mask)}"/></svg>`;
        const { data, info } = await sharp(Buffer.from(svg)).raw().toBuffer({ resolveWithObject: true });
        const found = bits.map((_, i) => {
          const [y, x] = [(Math.floor(i / width) + 0.5) * scale, ((i % width) + 0.5) * scale];
          return (data[(y * info.width + x) * info.channels + info.channels - 1] ?? 0) > 127;
        });
        expect(found).toEqual(bits);
      }),
      { seed: 1, numRuns: 60 },
    );
  });
});

describe('a view', () => {
  const small = maskOf(['#...', '....']);
  const large = maskOf(['##..', '##..']);
  const html = viewPictures({
    id: 'v',
    height: 2,
    width: 4,
    image: 'data:image/jpeg;base64,AA==',
    hasTruth: true,
    showsImage: true,
    backdrop: 'pale',
    expressions: [
      { truth: small, prediction: large, without: 'segmented' },
      { truth: large, prediction: null, without: 'rejected' },
      { truth: maskOf(['....', '....']), prediction: small, without: '<b>' },
    ],
  }).toString();

  test('has the image once and each mask as an element of its own, the small ones over the large ones', () => {
    expect(html.match(/data:image/g)).toHaveLength(1);
    const pictures = html.split('<figure>').slice(1);
    const layers = pictures.map((picture) =>
      [...picture.matchAll(/<path class="layer layer-(\d)"/g)].map(([, i]) => i),
    );
    expect(layers).toEqual([[], ['1', '0'], ['0', '2']]);
    expect(pictures[1]).toContain('>absent: nothing to draw</text>');
    expect(pictures[2]).toContain('>rejected</text>');
    expect(html).not.toContain('<b>');
  });

  test('is chosen from by radio buttons, which the keyboard reaches, and rules alone', () => {
    expect(String(choice('v', 'all', 'all'))).toMatch(
      /^<label[^>]*><input type="radio" class="pick-all" name="v" checked>/,
    );
    expect(String(choice('v', 3, 'a'))).toMatch(/^<label[^>]*><input type="radio" class="pick-3" name="v">a<\/label>$/);
    expect(viewRules(2)).toContain('.view:has(.pick-1:checked) .layer:not(.layer-1){display:none}');
    expect(viewRules(0)).toBe('');
  });
});

describe('tiles of a panel', () => {
  const size = 30;
  const square = (from: number, to: number): BinaryMask => ({
    data: Uint8Array.from({ length: size * size }, (_, i) =>
      Number([i % size, Math.floor(i / size)].every((at) => at >= from && at < to)),
    ),
    height: size,
    width: size,
  });
  const result = (expression: string, mask: BinaryMask | null): SegmentResult =>
    mask === null
      ? { expression, status: 'rejected', mask, box: null, area: 0, score: 0, rejectProbability: null }
      : {
          expression,
          status: 'segmented',
          mask,
          box: [0, 0, size, size],
          area: mask.data.filter((value) => value === 1).length,
          score: 1,
          rejectProbability: null,
        };
  const image = { data: new Uint8Array(size * size * 3).fill(128), height: size, width: size };
  const all = [result('large', square(2, 28)), result('small', square(10, 20)), result('none', null)];

  test('a mask that lies under another one is seen in its own tile', async () => {
    const { tiles, height } = await drawTiles({ image, question: '', answer: '', results: all, targets: [] }, 800);
    expect(tiles.map(({ caption }) => caption)).toEqual(['large', 'small']);
    expect(height).toBeGreaterThan(tiles[0]?.image.height ?? NaN);
    const middle = tiles.map(({ image: { data, width } }) => {
      const at = (Math.floor(width / 2) * width + Math.floor(width / 2)) * 3;
      return [...data.subarray(at, at + 3)];
    });
    for (const [i, pixel] of middle.entries()) {
      const color = [1, 3, 5].map((at) => parseInt(expressionColor(i).slice(at, at + 2), 16));
      const strongest = color.indexOf(Math.max(...color));
      expect(pixel.indexOf(Math.max(...pixel))).toBe(strongest);
    }
  });

  test('one mask hides nothing; photographs are made small, rows fit the width', async () => {
    const few = { image, question: '', answer: '', results: all.slice(1), targets: [] };
    expect((await drawTiles(few, 800)).tiles).toEqual([]);
    const photo = { data: new Uint8Array(600 * 400 * 3), height: 400, width: 600 };
    const mask = { data: new Uint8Array(600 * 400).fill(1), height: 400, width: 600 };
    const results = Array.from({ length: 40 }, (_, i) => result(String(i), mask));
    const { tiles } = await drawTiles({ image: photo, question: '', answer: '', results, targets: [] }, 640);
    expect(tiles).toHaveLength(16);
    for (const tile of tiles) expect(tile.left + tile.image.width).toBeLessThanOrEqual(640);
  });
});
