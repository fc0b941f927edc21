/** Image files are decoded as OpenCV does it, written losslessly, and refused with a clear line where damaged. */
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import { afterAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import sharp from 'sharp';
import { UserError } from '../../../src/errors.js';
import { encodeJpeg, encodePng, readImage, writeMaskPng, writePng } from '../../../src/io/image/image-file.js';
import { encodeIndexPng, readIndexPng } from '../../../src/io/image/index-png.js';
import { Random } from '../../../src/random.js';
import type { RgbImage } from '../../../src/types.js';
import { fixture } from '../../helpers/fixtures.js';

const folder = mkdtempSync(join(tmpdir(), 'gsva-image-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function noise(height: number, width: number, seed: number): RgbImage {
  const random = new Random(seed);
  return { data: Uint8Array.from({ length: height * width * 3 }, () => random.integer(256)), height, width };
}

/** A PNG made chunk by chunk, one row filter byte of 0 before each row. */
function png(
  width: number,
  height: number,
  depth: number,
  colour: number,
  rows: Uint8Array,
  extra: [string, Uint8Array][] = [],
): Buffer {
  const chunk = (type: string, data: Uint8Array): Buffer => {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
    const out = Buffer.alloc(body.length + 8);
    out.writeUInt32BE(data.length);
    body.copy(out, 4);
    out.writeUInt32BE(crc32(body), body.length + 4);
    return out;
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width);
  header.writeUInt32BE(height, 4);
  header[8] = depth;
  header[9] = colour;
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const others = extra.map(([type, data]) => chunk(type, data));
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    ...others,
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', new Uint8Array(0)),
  ]);
}

describe('readImage', () => {
  test('gives back what writePng wrote, from a path and from bytes', async () => {
    const image = noise(7, 5, 1);
    const path = join(folder, 'noise.png');
    await writePng(path, image);
    expect(await readImage(path)).toEqual(image);
    expect(await readImage(await encodePng(image))).toEqual(image);
    expect(readdirSync(folder)).toEqual(['noise.png']);
  });

  test('drops alpha without blending', async () => {
    const rgba = Uint8Array.of(200, 100, 50, 0, 10, 20, 30, 128);
    const bytes = await sharp(rgba, { raw: { width: 2, height: 1, channels: 4 } })
      .png()
      .toBuffer();
    expect([...(await readImage(bytes)).data]).toEqual([200, 100, 50, 10, 20, 30]);
  });

  test('expands grey and palette, also with transparency', async () => {
    const grey = png(2, 1, 8, 0, Uint8Array.of(0, 7, 250));
    expect([...(await readImage(grey)).data]).toEqual([7, 7, 7, 250, 250, 250]);
    const palette = png(2, 1, 8, 3, Uint8Array.of(0, 1, 0), [
      ['PLTE', Uint8Array.of(1, 2, 3, 4, 5, 6)],
      ['tRNS', Uint8Array.of(0, 9)],
    ]);
    expect([...(await readImage(palette)).data]).toEqual([4, 5, 6, 1, 2, 3]);
  });

  test('cuts 16 bits to the upper 8, grey and RGB', async () => {
    const grey = png(2, 1, 16, 0, Uint8Array.of(0, 0x12, 0xff, 0xfe, 0x01));
    expect([...(await readImage(grey)).data]).toEqual([0x12, 0x12, 0x12, 0xfe, 0xfe, 0xfe]);
    const rgb = png(1, 1, 16, 2, Uint8Array.of(0, 0x10, 0xff, 0x80, 0x80, 0xff, 0x00));
    expect([...(await readImage(rgb)).data]).toEqual([0x10, 0x80, 0xff]);
    const rgba = png(1, 1, 16, 6, Uint8Array.of(0, 0x10, 0xff, 0x80, 0x80, 0xff, 0x00, 0x00, 0x01));
    expect([...(await readImage(rgba)).data]).toEqual([0x10, 0x80, 0xff]);
  });

  test('turns the image as EXIF says: orientation 6 puts the left column on top', async () => {
    const image = noise(16, 24, 2);
    const flat = { data: new Uint8Array(image.data.length), height: 16, width: 24 };
    for (let i = 0; i < flat.data.length; i++) flat.data[i] = i % 72 < 36 ? 250 : 5;
    const bytes = await sharp(await encodeJpeg(flat, 100))
      .withMetadata({ orientation: 6 })
      .jpeg()
      .toBuffer();
    const upright = await readImage(bytes);
    expect([upright.height, upright.width]).toEqual([24, 16]);
    expect(upright.data[0]).toBeGreaterThan(200);
    expect(upright.data[upright.data.length - 1]).toBeLessThan(50);
  });

  const jpeg = readFileSync(fixture('images', 'exif_rot6.jpg'));
  const small = readFileSync(fixture('images', 'small_odd.png'));
  const cases: readonly [string, () => string | Uint8Array, string][] = [
    ['missing', () => join(folder, 'absent.jpg'), 'no such file'],
    ['a folder', () => folder, 'not a file'],
    ['empty', () => made(new Uint8Array(0)), 'JPEG, PNG'],
    ['a text', () => made(Buffer.from('hello')), 'JPEG, PNG'],
    ['a drawing', () => made(Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"/>')), 'svg'],
    ['a JPEG cut off', () => made(jpeg.subarray(0, jpeg.length / 2)), 'damaged or cut off'],
    ['a PNG cut off', () => made(small.subarray(0, small.length / 2)), 'damaged or cut off'],
    ['a huge PNG', () => made(png(60000, 60000, 8, 0, new Uint8Array(10))), '100 million'],
  ];
  function made(bytes: Uint8Array): string {
    const path = join(folder, 'made');
    writeFileSync(path, bytes);
    return path;
  }
  test.each(cases)('%s is a UserError that names the file', async (_, make, message) => {
    const reading = readImage(make());
    await expect(reading).rejects.toThrow(UserError);
    await expect(reading).rejects.toThrow(message);
    await expect(reading).rejects.toThrow(folder);
  });

  test('damaged bytes are decoded or refused with a UserError', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(jpeg, small),
        fc.array(fc.tuple(fc.nat(4000), fc.nat(255)), { minLength: 1, maxLength: 5 }),
        async (original, changes) => {
          const bytes = Uint8Array.from(original);
          for (const [at, value] of changes) bytes[at % bytes.length] = value;
          try {
            const { data, height, width } = await readImage(bytes);
            expect(data.length).toBe(height * width * 3);
          } catch (error) {
            expect(error).toBeInstanceOf(UserError);
          }
        },
      ),
      { seed: 3, numRuns: 150 },
    );
  });
});

describe('masks and label maps', () => {
  test('a label map is read as it was written', () => {
    const map = { data: Uint8Array.from({ length: 15 }, (_, i) => (i * 53) % 256), height: 3, width: 5 };
    const path = join(folder, 'labels.png');
    writeFileSync(path, encodeIndexPng(map));
    expect(readIndexPng(path)).toEqual(map);
  });

  test('a mask is a grey picture of 0 and 255', async () => {
    const path = join(folder, 'mask.png');
    await writeMaskPng(path, { data: Uint8Array.of(0, 1, 1, 0, 0, 1), height: 2, width: 3 });
    expect(readIndexPng(path)).toEqual({ data: Uint8Array.of(0, 255, 255, 0, 0, 255), height: 2, width: 3 });
    expect((await sharp(path).metadata()).channels).toBe(1);
  });

  function index(bytes: Uint8Array): Uint8Array {
    const path = join(folder, 'index.png');
    writeFileSync(path, bytes);
    return readIndexPng(path).data;
  }

  test('palette indices are read as they are, whatever the colours, depth and transparency', () => {
    const colours = Uint8Array.from({ length: 768 }, () => 9);
    const rows = Uint8Array.of(0, 3, 200, 255);
    expect([
      ...index(
        png(3, 1, 8, 3, rows, [
          ['PLTE', colours],
          ['tRNS', Uint8Array.of(0, 0)],
        ]),
      ),
    ]).toEqual([3, 200, 255]);
    expect([...index(png(3, 1, 4, 3, Uint8Array.of(0, 0x2f, 0x10), [['PLTE', colours.subarray(0, 48)]]))]).toEqual([
      2, 15, 1,
    ]);
    expect([...index(png(3, 1, 8, 0, rows))]).toEqual([3, 200, 255]);
  });

  test('the recorded label maps hold class numbers', () => {
    const path = fixture('datasets', 'data', 'mapillary', 'training', 'v2.0', 'labels', 'map0.png');
    const map = readIndexPng(path);
    expect(map.data.length).toBe(map.height * map.width);
    expect(Math.max(...map.data)).toBeLessThan(124);
  });

  test('other files are UserErrors that name the file', () => {
    expect(() => readIndexPng(fixture('images', 'small_odd.png'))).toThrow('colour type 2');
    expect(() => readIndexPng(fixture('images', 'exif_rot6.jpg'))).toThrow('not a PNG');
    expect(() => readIndexPng(join(folder, 'absent'))).toThrow(UserError);
    expect(() => index(png(60000, 60000, 8, 0, new Uint8Array(10)))).toThrow('too many');
    const whole = png(40, 40, 8, 3, new Uint8Array(41 * 40), [['PLTE', new Uint8Array(6)]]);
    for (let length = 0; length < whole.length; length++) {
      try {
        index(whole.subarray(0, length));
      } catch (error) {
        expect(error).toBeInstanceOf(UserError);
      }
    }
  });
});
