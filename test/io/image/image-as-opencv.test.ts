/**
 * Pictures are read as OpenCV 5.0 reads them: 332 small files of many kinds (test/helpers/opencv-image-cases.py), and
 * the 154 files of ../shared/cases/images-as-opencv where they are at hand. Each difference stands here with its reason.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { UserError } from '../../../src/errors.js';
import { readImage, readImageSize } from '../../../src/io/image/image-file.js';

interface Recorded {
  readonly height: number;
  readonly width: number;
  readonly sha256: string;
  readonly pixels?: Readonly<Record<string, readonly number[]>>;
  readonly mean?: readonly number[];
}

/** OpenCV reads none; here they are read, for there is one right answer. */
const READ_HERE: readonly [RegExp, string][] = [
  [/^tif_(rgb_|grey_)?(u[12]_o|ori)[5-8](_grey16)?\.tif$/, 'TIFF turned by a quarter'],
  [/^bmp_565v[34]\.bmp$/, 'the colour masks within a longer BMP header'],
  [/^rle4_(delta|early)\.bmp$/, 'jumps and early ends in runs of 4 bits'],
  [/^g_bgout\.gif$/, 'a background number without a colour, black'],
  [/^tif_g[24]\.tif$/, 'grey of 2 and 4 bits'],
];
/** OpenCV reads them; here they are refused, with a message that says what they are. */
const REFUSED_HERE: readonly [RegExp, string][] = [
  [/^bmp_32(bf|v5)_(rgba|abgr|x10)\.bmp$/, 'colour masks'],
  [/^g_none\.gif$/, 'without a table of colours'],
  [/^tif_lab\.tif$/, 'CIE Lab'],
  [/^samples[23]_planes\.tif$/, 'grey, '],
  [/^tif_ycbcr\.tif$/, 'uncompressed YCbCr'],
];
/** AVIF: the decoders round differently, and enlarge halved colours differently, up to 156 levels at an edge. */
const HALVED_AVIF = /^avif_(420_sat|a|grey|irot|exif6p?)\.avif$/;

const find = (list: readonly [RegExp, string][], name: string): string | null =>
  list.find(([pattern]) => pattern.test(name))?.[1] ?? null;

async function compare(name: string, bytes: Uint8Array, opencv: Recorded | null): Promise<void> {
  const refused = find(REFUSED_HERE, name);
  if (refused !== null) {
    expect(opencv).not.toBeNull();
    await expect(readImage(bytes)).rejects.toThrow(refused);
    return;
  }
  if (opencv === null) {
    if (find(READ_HERE, name) === null) await expect(readImage(bytes)).rejects.toThrow(UserError);
    else expect((await readImage(bytes)).data.length).toBeGreaterThan(0);
    return;
  }
  const { data, height, width } = await readImage(bytes);
  expect([height, width]).toEqual([opencv.height, opencv.width]);
  expect(await readImageSize(bytes)).toEqual({ height, width });
  if (!name.endsWith('.avif')) {
    expect(createHash('sha256').update(data).digest('hex')).toBe(opencv.sha256);
    return;
  }
  for (const [channel, mean] of (opencv.mean ?? []).entries()) {
    let sum = 0;
    for (let i = channel; i < data.length; i += 3) sum += data[i] as number;
    expect(Math.abs(sum / (height * width) - mean)).toBeLessThan(0.8);
  }
  if (HALVED_AVIF.test(name)) return;
  for (const [place, colour] of Object.entries(opencv.pixels ?? {})) {
    const [y = 0, x = 0] = place.split(',').map(Number);
    const at = 3 * (y * width + x);
    for (const [channel, value] of colour.entries()) {
      expect(Math.abs((data[at + channel] as number) - value)).toBeLessThanOrEqual(2);
    }
  }
}

interface CaseFile {
  readonly file: string;
  readonly opencv: Recorded | null;
}
const recorded = JSON.parse(readFileSync(resolve('test', 'fixtures', 'opencv-images.json'), 'utf8')) as {
  readonly images: Readonly<Record<string, CaseFile>>;
};

describe('files made for this test', () => {
  test('there are 332', () => {
    expect(Object.keys(recorded.images)).toHaveLength(332);
  });

  test.each(Object.entries(recorded.images))('%s', async (name, { file, opencv }) => {
    await compare(name, Buffer.from(file, 'base64'), opencv);
  });
});

const SHARED = resolve('..', 'shared', 'cases', 'images-as-opencv');
const shared = existsSync(SHARED)
  ? (JSON.parse(readFileSync(resolve(SHARED, 'expected.json'), 'utf8')) as {
      readonly images: Readonly<Record<string, Recorded | null>>;
    })
  : null;

describe('files of ../shared/cases/images-as-opencv', () => {
  if (shared === null) test.skip(`${SHARED} is absent`, () => undefined);
  else {
    test.each(Object.entries(shared.images))('%s', async (name, opencv) => {
      await compare(name, readFileSync(resolve(SHARED, 'files', name)), opencv);
    });
  }
});
