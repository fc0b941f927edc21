/** Masks of any kind of PNG: palette numbers, grey, colours, 16 bits, transparency; damage. */
import { afterAll, describe, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { PNG } from 'pngjs';
import sharp from 'sharp';
import { readMaskPng } from '../../src/io/mask-png.js';
import { readIndexPng } from '../../src/io/index-png.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-mask-'));
const path = join(scratch, 'mask.png');
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

function read(bytes: Uint8Array): number[] {
  writeFileSync(path, bytes);
  return [...readMaskPng(path).data];
}

/** A PNG of one row. */
async function row(pixels: readonly (readonly number[])[], channels: 1 | 2 | 3 | 4): Promise<Buffer> {
  const raw = { width: pixels.length, height: 1, channels };
  return sharp(Uint8Array.from(pixels.flat()), { raw }).png().toBuffer();
}

describe('readMaskPng', () => {
  test('grey: all but 0 is inside, however dark', async () => {
    expect(read(await row([[0], [1], [255], [0]], 1))).toEqual([0, 1, 1, 0]);
  });

  test('colours: all but black is inside, unless it is transparent', async () => {
    expect(
      read(
        await row(
          [
            [0, 0, 0],
            [0, 0, 1],
            [255, 0, 0],
          ].map((p) => p),
          3,
        ),
      ),
    ).toEqual([0, 1, 1]);
    const withAlpha = [
      [0, 0, 0, 255],
      [255, 255, 255, 255],
      [255, 255, 255, 0],
      [0, 9, 0, 1],
    ];
    expect(read(await row(withAlpha, 4))).toEqual([0, 1, 0, 1]);
  });

  test('16 bits: a value below 256 is not 0', () => {
    const png = new PNG({ width: 3, height: 1, colorType: 0, bitDepth: 16, inputColorType: 0, inputHasAlpha: false });
    const values = Uint16Array.from([0, 1, 65535]);
    const data = Buffer.from(values.buffer);
    const options = { colorType: 0, bitDepth: 16, inputColorType: 0, inputHasAlpha: false } as const;
    const bytes = PNG.sync.write(Object.assign(png, { data }), options);
    expect(read(bytes)).toEqual([0, 1, 1]);
  });

  test('palette: the number counts, not the colour', () => {
    const labels = resolve('test/fixtures/datasets/data/ade20k/annotations/training/ADE_train_00000000.png');
    const expected = readIndexPng(labels);
    const mask = readMaskPng(labels);
    expect([mask.height, mask.width]).toEqual([expected.height, expected.width]);
    expect([...mask.data]).toEqual([...expected.data].map((label) => Math.sign(label)));
    expect(new Set(mask.data)).toEqual(new Set([0, 1]));
  });

  test('what is missing, no PNG, damaged or absurdly large is a UserError that names the file', async () => {
    expect(() => readMaskPng(join(scratch, 'none.png'))).toThrow(/none\.png as a mask: .*check the path/);
    expect(() => read(Buffer.from('GIF89a'))).toThrow(/mask\.png as a mask: it is not a PNG/);
    const good = await row(
      [
        [0, 0, 0],
        [1, 1, 1],
      ],
      3,
    );
    expect(() => read(good.subarray(0, good.length - 20))).toThrow(/mask\.png.*damaged/);
    const large = Buffer.from(good);
    large.writeUInt32BE(2 ** 31 - 1, 16);
    expect(() => read(large)).toThrow(/too many/);
  });
});
