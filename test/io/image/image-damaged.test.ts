/** Damaged and hostile image files of every kind are read or refused with a UserError, within bounds. */
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import sharp from 'sharp';
import { UserError } from '../../../src/errors.js';
import { bmpIndices } from '../../../src/io/image/image-bmp.js';
import { encodeJpeg, readImage, readImageOrientation, readImageSize } from '../../../src/io/image/image-file.js';
import { lzwPixels } from '../../../src/io/image/image-gif.js';

const { images } = JSON.parse(readFileSync(resolve('test', 'fixtures', 'opencv-images.json'), 'utf8')) as {
  readonly images: Readonly<Record<string, { readonly file: string }>>;
};
const fileOf = (name: string): Buffer => Buffer.from(images[name]?.file ?? '', 'base64');
const ofKind = (pattern: RegExp): readonly string[] => Object.keys(images).filter((name) => pattern.test(name));

/** Read, and then of the stated size, or refused by both functions' kind of error. */
async function readOrRefused(bytes: Uint8Array): Promise<void> {
  try {
    const size = await readImageSize(bytes);
    const image = await readImage(bytes);
    expect({ height: image.height, width: image.width }).toEqual(size);
    expect(image.data.length).toBe(image.height * image.width * 3);
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
  }
}

/** A BMP header of 40 bytes and what follows. */
function bmp(width: number, height: number, bits: number, compression: number, rest: Uint8Array): Buffer {
  const head = Buffer.alloc(54);
  head.write('BM', 'latin1');
  head.writeUInt32LE(54, 10);
  head.writeUInt32LE(40, 14);
  head.writeInt32LE(width, 18);
  head.writeInt32LE(height, 22);
  head.writeUInt16LE(1, 26);
  head.writeUInt16LE(bits, 28);
  head.writeUInt32LE(compression, 30);
  return Buffer.concat([head, rest]);
}

describe('changed bytes', () => {
  test.each([
    ['BMP', /\.bmp$/, 500],
    ['GIF', /\.gif$/, 150],
    ['TIFF', /\.tif$/, 250],
    ['JPEG and PNG', /\.(jpg|png)$/, 150],
    ['AVIF and WebP', /\.(avif|webp)$/, 80],
  ])('%s', async (_, pattern, numRuns) => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...ofKind(pattern)),
        fc.array(fc.tuple(fc.oneof(fc.nat(80), fc.nat(4000)), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { freq: 4 }),
        async (name, changes, share) => {
          const bytes = Uint8Array.from(fileOf(name));
          for (const [at, value] of changes) bytes[at % bytes.length] = value;
          await readOrRefused(share === null ? bytes : bytes.subarray(0, Math.floor(bytes.length * share)));
        },
      ),
      { seed: 4, numRuns },
    );
  });

  test('any bytes after a BMP header', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: -5, max: 40 }),
        fc.integer({ min: -40, max: 40 }),
        fc.constantFrom(0, 1, 2, 4, 8, 16, 24, 32, 64),
        fc.nat(7),
        fc.uint8Array({ maxLength: 3000 }),
        async (width, height, bits, compression, rest) => {
          await readOrRefused(bmp(width, height, bits, compression, rest));
        },
      ),
      { seed: 5, numRuns: 600 },
    );
  });
});

describe('BMP run lengths', () => {
  test('any runs give numbers for all pixels, or a sentence', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 400 }),
        fc.integer({ min: 1, max: 30 }),
        fc.integer({ min: 1, max: 30 }),
        fc.constantFrom(4 as const, 8 as const),
        (runs, width, height, bits) => {
          const numbers = bmpIndices(runs, width, height, bits);
          if (typeof numbers === 'string') expect(numbers).not.toBe('');
          else expect(numbers.length).toBe(width * height);
        },
      ),
      { seed: 6, numRuns: 2000 },
    );
  });

  test('a run beyond its line, a jump beyond the last one and an early end are named', () => {
    expect(bmpIndices(Uint8Array.of(9, 5, 0, 1), 8, 4, 8)).toMatch('a run of line 1 ends in column 9 of 8');
    expect(bmpIndices(Uint8Array.of(0, 2, 1, 9), 8, 4, 8)).toMatch('a jump leads to column 2, line 10');
    expect(bmpIndices(Uint8Array.of(3, 5, 0, 0), 8, 4, 8)).toMatch('its runs end in line 2 of 4');
    expect(bmpIndices(Uint8Array.of(0, 200, 1, 2), 250, 4, 8)).toMatch('its runs end in line 1 of 4');
  });
});

describe('a huge size in a small file is refused by both, before memory is asked for', () => {
  const gif = Buffer.from('474946383961ffffffff800000000000ffffff2c00000000ffffffff00020100003b', 'hex');
  test.each([
    ['BMP', bmp(20_000, 5_401, 24, 0, new Uint8Array(10)), '20000 x 5401 pixels, at most 100 million'],
    ['BMP of runs', bmp(2 ** 30, 2 ** 30, 8, 1, new Uint8Array(2000)), 'at most 100 million'],
    ['GIF', gif, 'at most 100 million'],
  ])('%s', async (_, bytes, message) => {
    for (const read of [readImage, readImageSize]) await expect(read(bytes)).rejects.toThrow(message);
  });

  test('a BMP that ends before its pixels says how many bytes are missing', async () => {
    await expect(readImage(bmp(5000, 5000, 24, 0, new Uint8Array(10)))).rejects.toThrow(
      '75000054 bytes are needed, 64 are there',
    );
  });
});

describe('what is not read is named by its header', () => {
  test('HEIC, by its first brand where the decoder does not get further', async () => {
    const bytes = Buffer.concat([Buffer.from('\0\0\0\x18ftypheic\0\0\0\0mif1heic', 'latin1'), Buffer.alloc(64)]);
    for (const read of [readImage, readImageSize, readImageOrientation]) {
      await expect(read(bytes)).rejects.toThrow(
        'HEIC (compressed as hevc) is not supported; convert it to JPEG or PNG',
      );
    }
  });

  const iphone = resolve('..', 'shared', 'cases', '20-heic-and-bmp', 'heic', 'a.heic');
  (existsSync(iphone) ? test : test.skip)('HEIC of a telephone', async () => {
    for (const read of [readImage, readImageSize, readImageOrientation]) {
      await expect(read(iphone)).rejects.toThrow(
        'HEIC (compressed as hevc) is not supported; convert it to JPEG or PNG',
      );
    }
  });

  test.each([
    ['tif_f32.tif', '32-bit floating-point samples'],
    ['tif_u32.tif', '32-bit samples'],
    ['tif_zstd_False_u1.tif', 'compressed by method 50000'],
    ['bmp_444bf.bmp', 'the colour masks f00, f0, f'],
    ['bmp_2.bmp', '2 bits per pixel'],
    ['g_out.gif', 'partly outside'],
    ['g_few.gif', 'has 3 of 48 pixels'],
    ['rle8_over.bmp', 'a run of line 1 ends in column 9 of 8'],
    ['bmp_cut.bmp', 'bytes are needed'],
  ])('%s', async (name, message) => {
    await expect(readImage(fileOf(name))).rejects.toThrow(message);
  });

  test('a tiled TIFF that is cut off, of which the decoder leaves tiles black', async () => {
    const whole = fileOf('tif_tiled.tif');
    expect((await readImage(whole)).width).toBe(38);
    await expect(readImage(whole.subarray(0, whole.length - 100))).rejects.toThrow('damaged or cut off');
  });

  test('a JPEG without its last two bytes is whole; one that lacks more, or is progressive, is cut off', async () => {
    const raw = { data: Uint8Array.from({ length: 48 * 64 * 3 }, (_, i) => (i * 7) % 251), height: 48, width: 64 };
    const whole = await encodeJpeg(raw);
    expect((await readImage(whole.subarray(0, whole.length - 2))).data).toEqual((await readImage(whole)).data);
    await expect(readImage(whole.subarray(0, whole.length - 40))).rejects.toThrow('damaged or cut off');
    await expect(readImage(whole.subarray(0, whole.length / 2))).rejects.toThrow('damaged or cut off');
    const progressive = await sharp(whole).jpeg({ progressive: true }).toBuffer();
    await expect(readImage(progressive.subarray(0, progressive.length - 2))).rejects.toThrow('damaged or cut off');
  });

  test('a JPEG of 12 bits is of a kind that is not supported', async () => {
    const raw = { data: new Uint8Array(16 * 16 * 3).fill(90), height: 16, width: 16 };
    const bytes = Buffer.from(await encodeJpeg(raw));
    const frame = bytes.indexOf(Buffer.of(0xff, 0xc0));
    bytes[frame + 4] = 12;
    await expect(readImage(bytes)).rejects.toThrow('it is of a kind that is not supported (');
  });

  test('neither an image nor anything like it', async () => {
    await expect(readImage(Buffer.from('hello'))).rejects.toThrow('convert it to one of these');
  });
});

describe('orientation', () => {
  test.each([
    ['jpg_o6_t3_le.jpg', 6],
    ['jpg_o6_t4_le.jpg', 6],
    ['jpg_o6_t4_be.jpg', 1],
    ['jpg_o9.jpg', 1],
    ['png_post5.png', 5],
    ['webp_lossless_8_1.webp', 8],
    ['tif_rgb_u1_o7.tif', 7],
    ['avif_realexif6.avif', 6],
    ['bmp_24_7_0.bmp', 1],
  ])('%s states %i', async (name, orientation) => {
    expect(await readImageOrientation(fileOf(name))).toBe(orientation);
  });
});

test('the pixels of a GIF are counted over full code tables and clears', () => {
  const whole = fileOf('g_big.gif');
  expect(whole.length).toBeGreaterThan(1000);
  expect(lzwPixels(Uint8Array.of(), 8, 5)).toBe(0);
  // Clear, 1, 1 and end of three bits each.
  expect(lzwPixels(Uint8Array.of(0b01_001_100, 0b1010), 2, 100)).toBe(2);
});
