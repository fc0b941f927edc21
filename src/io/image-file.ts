/**
 * Image files. Pictures are decoded as OpenCV's `imread` does in the published implementation: EXIF rotation applied,
 * alpha dropped (not blended), grey and palette expanded to RGB, 16 bits cut to 8, colour profiles ignored.
 */
import { statSync } from 'node:fs';
import sharp from 'sharp';
import type { Metadata, Sharp } from 'sharp';
import { UserError, messageOf } from '../errors.js';
import type { BinaryMask, RgbImage } from '../types.js';
import { writeFileAtomic } from './atomic-file.js';
import { describeStandIn, describeStandInAt } from './file-kind.js';

// One thread per image: the models use the cores. No cache: a file may change under the same name.
sharp.concurrency(1);
sharp.cache(false);

/** Larger images are refused: 100 million pixels are 300 MB when decoded. */
const MOST_PIXELS = 100_000_000;

/** What is read; sharp also knows drawings (SVG, PDF), which could reach for other files. */
const FORMATS: readonly string[] = ['jpeg', 'png', 'webp', 'gif', 'tiff', 'avif', 'heif'];

/**
 * Decodes an image file, or the bytes of one.
 * @returns 8-bit RGB, upright
 * @throws UserError that names the file: missing, not an image, damaged or cut off, too large
 */
export async function readImage(source: string | Uint8Array): Promise<RgbImage> {
  const fail = failureOf(source);
  const { width, height, depth } = await readHeader(source);
  if (width * height > MOST_PIXELS) {
    return fail(
      `it has ${width} x ${height} pixels, at most ${MOST_PIXELS / 1e6} million are allowed; make it smaller.`,
    );
  }
  try {
    return await decode(open(source), depth === 'ushort');
  } catch (error) {
    return fail(`it is damaged or cut off (${firstLine(error)}).`);
  }
}

/**
 * The size of an image as `readImage` gives it, of which only the beginning is read.
 * @throws UserError that names the file: missing, not an image
 */
export async function readImageSize(
  source: string | Uint8Array,
): Promise<{ readonly height: number; readonly width: number }> {
  const { height, width } = (await readHeader(source)).autoOrient;
  return { height, width };
}

/**
 * EXIF orientation of an image, 1 to 8; 1 where it has none. From 5 on, `readImageSize` is the stored size turned.
 * @throws UserError as `readImageSize`
 */
export async function readImageOrientation(path: string): Promise<number> {
  return (await readHeader(path)).orientation ?? 1;
}

function failureOf(source: string | Uint8Array): (what: string) => never {
  return (what) => {
    throw new UserError(`Cannot read ${typeof source === 'string' ? source : 'the given image'} as an image: ${what}`);
  };
}

function open(source: string | Uint8Array): Sharp {
  return sharp(source, { limitInputPixels: false, failOn: 'error', ignoreIcc: true });
}

/** @throws UserError where there is no image of a format that is read */
async function readHeader(source: string | Uint8Array): Promise<Metadata> {
  const fail = failureOf(source);
  if (typeof source === 'string') {
    const found = statSync(source, { throwIfNoEntry: false });
    if (found === undefined) return fail('there is no such file; check the path.');
    if (!found.isFile()) return fail('it is not a file.');
  }
  let metadata: Metadata;
  try {
    metadata = await open(source).metadata();
  } catch (error) {
    const standIn = typeof source === 'string' ? describeStandInAt(source) : describeStandIn(source);
    if (standIn !== null && !standIn.startsWith('it is empty')) return fail(`${standIn}.`);
    return fail(
      `${firstLine(error)}. Is it a JPEG, PNG, WebP, GIF, TIFF or AVIF file? If not, convert it to one of these.`,
    );
  }
  if (!FORMATS.includes(metadata.format)) {
    return fail(`${metadata.format} is not supported; convert it to JPEG or PNG.`);
  }
  // The prebuilt library reads the header of HEVC, but not the pixels.
  if (metadata.format === 'heif' && metadata.compression !== 'av1') {
    return fail(`HEIC (${metadata.compression ?? 'HEVC'}) is not supported; convert it to JPEG or PNG.`);
  }
  return metadata;
}

async function decode(picture: Sharp, is16Bit: boolean): Promise<RgbImage> {
  const upright = picture.autoOrient().removeAlpha();
  if (!is16Bit) {
    const { data, info } = await upright.toColourspace('srgb').raw().toBuffer({ resolveWithObject: true });
    return { data: toRgb(data, info.channels), height: info.height, width: info.width };
  }
  const { data, info } = await upright
    .toColourspace('rgb16')
    .raw({ depth: 'ushort' })
    .toBuffer({ resolveWithObject: true });
  const high = Uint8Array.from({ length: data.length / 2 }, (_, i) => data[i * 2 + 1] as number);
  return { data: toRgb(high, info.channels), height: info.height, width: info.width };
}

/** Three channels per pixel from one or three. */
function toRgb(data: Uint8Array, channels: number): Uint8Array {
  if (channels === 3) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (channels !== 1) throw new Error(`${channels} channels after decoding`);
  const rgb = new Uint8Array(data.length * 3);
  for (let i = 0; i < data.length; i++) rgb.fill(data[i] as number, i * 3, i * 3 + 3);
  return rgb;
}

/** The bytes of a PNG file. */
export async function encodePng(image: RgbImage): Promise<Buffer> {
  const { width, height } = image;
  return sharp(image.data, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
}

/** The bytes of a JPEG file; quality from 1 to 100. */
export async function encodeJpeg(image: RgbImage, quality = 90): Promise<Buffer> {
  const { width, height } = image;
  return sharp(image.data, { raw: { width, height, channels: 3 } })
    .jpeg({ quality })
    .toBuffer();
}

/** Writes a PNG atomically. */
export async function writePng(path: string, image: RgbImage): Promise<void> {
  writeFileAtomic(path, await encodePng(image));
}

/** Writes a mask atomically as a grey PNG: 255 inside, 0 outside. */
export async function writeMaskPng(path: string, mask: BinaryMask): Promise<void> {
  const { width, height } = mask;
  const grey = mask.data.map((value) => (value === 0 ? 0 : 255));
  writeFileAtomic(
    path,
    await sharp(grey, { raw: { width, height, channels: 1 } })
      .toColourspace('b-w')
      .png()
      .toBuffer(),
  );
}

/** sharp's messages go over several lines and end in full stops. */
function firstLine(error: unknown): string {
  return messageOf(error).split('\n', 1).join('').replace(/\.$/, '');
}
