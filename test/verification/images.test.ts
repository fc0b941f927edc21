/** Decoding and transforms against the recorded pictures of OpenCV and Pillow; and that a deviation is noticed. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { clipTransform, resizeForClip, resizeForSam } from '../../src/data/image/image-transforms.js';
import { UserError } from '../../src/errors.js';
import { readImage, writePng } from '../../src/io/image/image-file.js';
import { verifyImages } from '../../src/verification/images.js';
import { fixture, sharedFixture } from '../helpers/fixtures.js';

const folder = mkdtempSync(join(tmpdir(), 'gsva-verify-images-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

describe('verifyImages', () => {
  test('passes on the recorded images: PNG within 1 grey level, JPEG within 3, 0.2 on average', async () => {
    const items = await verifyImages(fixture('images'));
    expect(items.filter((item) => !item.pass)).toEqual([]);
    expect(items.length).toBe(6 * 10);
  });

  const shared = sharedFixture('images', 'dog.jpg');
  (shared === null ? test.skip : test)('passes on the photographs too', async () => {
    const items = await verifyImages(join(shared ?? '', '..'));
    expect(items.filter((item) => !item.pass)).toEqual([]);
    expect(items.length).toBe(9 * 10);
  });

  test('takes the sizes of both transforms from the recording', async () => {
    const dir = mkdtempSync(join(folder, 'sizes-'));
    cpSync(fixture('images', 'gray.png'), join(dir, 'gray.png'));
    const image = await readImage(join(dir, 'gray.png'));
    const recorded = JSON.parse(readFileSync(fixture('images', 'expected.json'), 'utf8')) as Record<string, object>;
    const { data } = clipTransform(image, 56);
    const sam = resizeForSam(image, 128);
    await writePng(join(dir, 'gray.png.clip56.png'), resizeForClip(image, 56));
    await writePng(join(dir, 'gray.png.sam128.png'), sam);
    const [mean, corner] = [data.reduce((sum, value) => sum + value, 0) / data.length, [...data.subarray(0, 3)]];
    const deviation = Math.sqrt(data.reduce((sum, value) => sum + (value - mean) ** 2, 0) / data.length);
    const clip = { clip_mean: mean, clip_std: deviation, clip_corner: corner, sam128: [sam.height, sam.width] };
    writeFileSync(join(dir, 'expected.json'), JSON.stringify({ 'gray.png': { ...recorded['gray.png'], ...clip } }));
    const items = await verifyImages(dir);
    expect(items.filter((item) => !item.pass)).toEqual([]);
    expect(items.length).toBe(10);
  });

  test('a pixel 2 grey levels off, a missing picture and a missing image fail', async () => {
    const copy = join(folder, 'images');
    cpSync(fixture('images'), copy, { recursive: true });
    const picture = join(copy, 'tall.png.sam512.png');
    const image = await readImage(picture);
    const data = Uint8Array.from(image.data);
    data[0] = (data[0] as number) + ((data[0] as number) > 100 ? -2 : 2);
    await writePng(picture, { ...image, data });
    rmSync(join(copy, 'gray.png.clip224.png'));
    rmSync(join(copy, 'alpha.png'));
    const failed = (await verifyImages(copy)).filter((item) => !item.pass);
    expect(failed.map((item) => [item.item, item.largestError])).toEqual([
      ['alpha.png', Infinity],
      ['gray.png', Infinity],
      ['tall.png: F_V2 picture, largest difference', 2],
    ]);
  });

  test('a folder without expected.json is a UserError that names it', async () => {
    await expect(verifyImages(folder)).rejects.toThrow(UserError);
    await expect(verifyImages(folder)).rejects.toThrow(join(folder, 'expected.json'));
  });
});
