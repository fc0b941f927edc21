/**
 * Image files, decoded as OpenCV's `imread` does in the published implementation: turned by EXIF, alpha dropped (not
 * blended), grey and palette expanded to RGB, 16 bits cut to 8, colour profiles ignored. docs/images.md lists the
 * formats and the differences.
 */
import { extname } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { UserError } from '../../errors.js';
import type { BinaryMask, RgbImage } from '../../types.js';
import { writeFileAtomic } from '../atomic/atomic-file.js';
import { readImageHeader } from './image-header.js';
import { decodeImage } from './image-pixels.js';
import type { ImageSource } from './image-source.js';

/**
 * Decodes an image file, or the bytes of one.
 * @returns 8-bit RGB, upright
 * @throws UserError that names the file: missing, not an image, damaged or cut off, too large
 */
export async function readImage(source: ImageSource): Promise<RgbImage> {
  return decodeImage(source, await readImageHeader(source));
}

/**
 * The size of an image after turning, from its header alone.
 * @throws UserError that names the file: missing, not an image, of a kind that is not read, too large
 */
export async function readImageSize(source: ImageSource): Promise<{ readonly height: number; readonly width: number }> {
  const { height, width } = await readImageHeader(source);
  return { height, width };
}

/** EXIF orientation, 1 to 8; 1 without one. From 5 on, `readImageSize` is the stored size turned. @throws UserError */
export async function readImageOrientation(source: ImageSource): Promise<number> {
  return (await readImageHeader(source)).orientation;
}

export async function encodePng(image: RgbImage): Promise<Buffer> {
  return rawPixels(image, 3).png().toBuffer();
}

/** The bytes of a JPEG file; quality from 1 to 100. */
export async function encodeJpeg(image: RgbImage, quality = 90): Promise<Buffer> {
  return rawPixels(image, 3).jpeg({ quality }).toBuffer();
}

function rawPixels({ data, width, height }: RgbImage, channels: 1 | 3): Sharp {
  return sharp(data, { raw: { width, height, channels } });
}

export async function writePng(path: string, image: RgbImage): Promise<void> {
  writeFileAtomic(path, await encodePng(image));
}

/** The bytes of a grey PNG file: 255 inside, 0 outside. */
export async function maskPng(mask: BinaryMask): Promise<Buffer> {
  const data = mask.data.map((value) => (value === 0 ? 0 : 255));
  return rawPixels({ ...mask, data }, 1)
    .toColourspace('b-w')
    .png()
    .toBuffer();
}

export async function writeMaskPng(path: string, mask: BinaryMask): Promise<void> {
  writeFileAtomic(path, await maskPng(mask));
}

/** Form of a picture that is written, by the ending of its name. */
type PictureForm = 'png' | 'jpeg' | 'webp';

const FORMS: Readonly<Record<string, PictureForm>> = {
  '.png': 'png',
  '.jpg': 'jpeg',
  '.jpeg': 'jpeg',
  '.webp': 'webp',
};
/** Endings of files, which nobody means as the name of a folder. */
const OTHER_FILES = /^\.(avif|bmp|gif|heic|heif|html?|ico|jp2|json|npy|pbm|pdf|pgm|ppm|svg|tga|tiff?|txt|zip)$/;
const QUALITY = 92;

/** @returns null where the name is that of a folder @throws UserError for a form that is not written */
export function pictureForm(option: string, path: string): PictureForm | null {
  const ending = extname(path).toLowerCase();
  const form = FORMS[ending];
  if (form === undefined && OTHER_FILES.test(ending)) {
    const known = Object.keys(FORMS).join(', ');
    throw new UserError(`${path}: no ${ending} is written; ${option} takes a picture (${known}) or a folder`);
  }
  return form ?? null;
}

/** Writes a picture atomically; JPEG and WebP without subsampling, at quality 92, for coloured masks have sharp edges. */
export async function writePicture(path: string, form: PictureForm, png: Buffer): Promise<void> {
  const picture = sharp(png);
  if (form === 'jpeg') picture.jpeg({ quality: QUALITY, chromaSubsampling: '4:4:4' });
  if (form === 'webp') picture.webp({ quality: QUALITY, smartSubsample: true });
  writeFileAtomic(path, form === 'png' ? png : await picture.toBuffer());
}
