/** `--out` of a picture: the form that its name asks for, or a sentence. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import sharp from 'sharp';
import { startEngine } from '../../../src/engine/engine.js';
import { pictureForm } from '../../../src/io/image/image-file.js';
import { runCli } from '../../helpers/run-cli.js';

const folder = mkdtempSync(join(tmpdir(), 'gsva-picture-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const segment = (out: string) =>
  runCli([
    ...['segment', '--engine', 'wasm', '--image', 'data/samples/scene-3.jpg'],
    ...['--expressions', 'purple circle', '--out', join(folder, out)],
  ]);

describe('gsva segment --out', () => {
  beforeAll(async () => {
    await startEngine({ engine: 'wasm' });
  });

  test.each([
    ['found.png', 'png'],
    ['found.jpg', 'jpeg'],
    ['found.JPEG', 'jpeg'],
    ['found.webp', 'webp'],
  ])('%s is a picture in that form, of one size', async (name, format) => {
    const { code, stdout } = await segment(name);
    expect([code, stdout]).toEqual([0, expect.stringContaining(name)]);
    const picture = await sharp(join(folder, name)).metadata();
    expect(picture.format).toBe(format);
    const png = await sharp(join(folder, 'found.png')).metadata();
    expect([picture.width, picture.height]).toEqual([png.width, png.height]);
  });

  test('another form is refused with those that there are, and nothing is written', async () => {
    const { code, stderr } = await segment('found.gif');
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/no \.gif is written; --out takes .*\.png, \.jpg, .*folder/),
    ]);
    expect(existsSync(join(folder, 'found.gif'))).toBe(false);
  });
});

test('other names are those of folders', () => {
  for (const name of ['found', 'found/', 'run.v2', '2024.05.01']) expect(pictureForm('--out', name)).toBeNull();
  for (const name of ['a.tif', 'a.SVG', 'a.json']) expect(() => pictureForm('--out', name)).toThrow(/is written/);
});
