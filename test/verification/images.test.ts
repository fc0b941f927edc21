/** Decoding and transforms against the recorded pictures of OpenCV and Pillow; and that a deviation is noticed. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
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
