/** Pictures of SELF1E against Pillow's: the squash and the tiles to the byte, grids for a hundred sizes. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { verifySelf1eImages } from '../../src/verification/self1e-images.js';
import { fixture, sharedFixture } from '../helpers/fixtures.js';

const folder = mkdtempSync(join(tmpdir(), 'gsva-self1e-images-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** Items of a PNG picture: size, grids, pixels, means, digests, corner; a JPEG has no digests. */
const [PNG_ITEMS, JPEG_ITEMS] = [6, 5];

test('passes on the recorded pictures, PNG to the byte', async () => {
  const items = await verifySelf1eImages(fixture('self1e-images'), fixture('images'));
  expect(items.filter(({ pass }) => !pass)).toEqual([]);
  expect(items.length).toBe(1 + 5 * PNG_ITEMS + JPEG_ITEMS);
});

const shared = sharedFixture('self1e-images', 'photographs.safetensors');
(shared === null ? test.skip : test)('passes on the photographs too', async () => {
  const dir = dirname(shared ?? '');
  const items = await verifySelf1eImages(dir, join(dir, '..', 'images'));
  expect(items.filter(({ pass }) => !pass)).toEqual([]);
  expect(items.length).toBe(1 + 5 * PNG_ITEMS + 4 * JPEG_ITEMS);
});

test('another digest, another grid and another mean are noticed', async () => {
  cpSync(fixture('self1e-images'), folder, { recursive: true });
  const path = join(folder, 'expected.json');
  const json = readFileSync(path, 'utf8');
  const [first] = /"sha256":"f487a98e/.exec(json) ?? [];
  expect(first).toBeDefined();
  writeFileSync(
    path,
    json
      .replace('"squash":{"sha256":"f487a98e', '"squash":{"sha256":"00000000')
      .replace('[640,480,[1,1],[1,1],[3,2],[4,3]]', '[640,480,[1,1],[1,1],[2,2],[4,3]]')
      .replace('"decoded_mean":[132.9499', '"decoded_mean":[139.9499'),
  );
  const failed = (await verifySelf1eImages(folder, fixture('images'))).filter(({ pass }) => !pass);
  expect(failed.map(({ item }) => item)).toEqual([
    'tile grids by size',
    'alpha.png: mean colours (worst of 15)',
    'alpha.png: SHA-256',
  ]);
});

test('a folder without the pictures proves nothing', async () => {
  await expect(verifySelf1eImages(fixture('self1e-images'), folder)).rejects.toThrow('copy the folder images as well');
});
