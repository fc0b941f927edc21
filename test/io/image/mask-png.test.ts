/** Masks of any kind of PNG: palette numbers, grey, colours, 16 bits, transparency; damage. */
import { afterAll, describe, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { PNG } from 'pngjs';
import sharp from 'sharp';
import { readMaskPng } from '../../../src/io/image/mask-png.js';
import { readIndexPng } from '../../../src/io/image/index-png.js';
import { pngOf } from '../../helpers/png-chunks.js';

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

  test('palette with a black number 0: the number counts, not the colour', () => {
    const labels = resolve('test/fixtures/datasets/data/ade20k/annotations/training/ADE_train_00000000.png');
    const expected = readIndexPng(labels);
    const mask = readMaskPng(labels);
    expect([mask.height, mask.width]).toEqual([expected.height, expected.width]);
    expect([...mask.data]).toEqual([...expected.data].map((label) => Math.sign(label)));
    expect(new Set(mask.data)).toEqual(new Set([0, 1]));
  });

  const BLACK = [0, 0, 0];
  const WHITE = [255, 255, 255];
  const RED = [255, 0, 0];
  const palette = (numbers: readonly number[], colours: readonly (readonly number[])[], alpha?: number[]): Buffer =>
    pngOf(numbers.length, 1, 8, 3, Uint8Array.from([0, ...numbers]), [
      ['PLTE', Uint8Array.from(colours.flat())],
      ...(alpha === undefined ? [] : ([['tRNS', Uint8Array.from(alpha)]] as const)),
    ]);

  test.each<[string, Buffer, number[]]>([
    ['white as number 0 (sharp, Pillow, ImageMagick)', palette([0, 1, 1, 0], [WHITE, BLACK]), [1, 0, 0, 1]],
    ['several colours, one of them black', palette([0, 1, 2, 3], [RED, BLACK, WHITE, BLACK]), [1, 0, 1, 0]],
    ['number 0 is black: another black number is a label', palette([0, 1, 2], [BLACK, BLACK, RED]), [0, 1, 1]],
    ['a transparent number 0 of any colour', palette([0, 1, 0], [[71, 112, 76], RED], [0]), [0, 1, 0]],
    ['a transparent number in the middle', palette([0, 1, 2], [BLACK, RED, WHITE], [255, 255, 0]), [0, 1, 0]],
    ['half transparent is inside', palette([0, 1], [BLACK, RED], [255, 1]), [0, 1]],
    ['grey with a transparent level', pngOf(3, 1, 8, 0, Uint8Array.of(0, 0, 9, 255), [['tRNS', Uint8Array.of(0, 255)]]), [0, 1, 0]], // prettier-ignore
    ['1 bit', pngOf(3, 1, 1, 0, Uint8Array.of(0, 0b10100000)), [1, 0, 1]],
    ['a palette of 1 bit, white first', pngOf(3, 1, 1, 3, Uint8Array.of(0, 0b01100000), [['PLTE', Uint8Array.from([...WHITE, ...BLACK])]]), [1, 0, 0]], // prettier-ignore
  ])('%s', (_, bytes, expected) => {
    expect(read(bytes)).toEqual(expected);
  });

  test('black on a transparent ground is refused: nobody can know what is meant', async () => {
    const message = /mask\.png as a mask: everything that is not transparent is black.*in white/;
    expect(() => read(palette([0, 1], [RED, BLACK], [0]))).toThrow(message);
    const rgba = await row([[0, 0, 0, 255], [0, 0, 0, 0]], 4); // prettier-ignore
    expect(() => read(rgba)).toThrow(message);
    expect(read(await row([BLACK, BLACK], 3))).toEqual([0, 0]);
  });

  test('a label map of few bits holds the stored numbers: 0 and 1, not 0 and 255', () => {
    writeFileSync(path, pngOf(3, 1, 1, 0, Uint8Array.of(0, 0b10100000)));
    expect([...readIndexPng(path).data]).toEqual([1, 0, 1]);
    writeFileSync(path, pngOf(3, 1, 2, 0, Uint8Array.of(0, 0b11100100)));
    expect([...readIndexPng(path).data]).toEqual([3, 2, 1]);
  });

  test('converted line ends are named, with the way back', async () => {
    const good = await row([[0], [9]], 1);
    const text = good.toString('latin1');
    expect(() => read(Buffer.from(text.replaceAll('\n', '\r\n'), 'latin1'))).toThrow(/LF to CR LF.*perl -0777/);
    expect(() => read(Buffer.from(text.replaceAll('\r\n', '\n'), 'latin1'))).toThrow(/CR LF to LF.*again in binary/);
    expect(read(Buffer.from(text.replaceAll('\n', '\r\n').replaceAll('\r\n', '\n'), 'latin1'))).toEqual([0, 1]);
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
