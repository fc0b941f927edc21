/** Key under which the features of an image are kept. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { messageOf, UserError } from '../errors.js';
import type { RgbImage } from '../types.js';

/** Decoders differ in the last bit from version to version; turning by EXIF is one of the things they do. */
const DECODER = JSON.stringify(Object.entries(sharp.versions).sort());

/**
 * SHA-256 in hexadecimal of a file's bytes, so that known images need no decoding, or of a picture's pixels.
 * @throws UserError where the file cannot be read
 */
export async function imageKey(image: string | RgbImage): Promise<string> {
  const path = typeof image === 'string' ? image : image.path;
  if (path === undefined) {
    const { data, height, width } = image as RgbImage;
    return createHash('sha256').update(`pixels ${height} ${width}\n`).update(data).digest('hex');
  }
  try {
    const bytes = await readFile(path);
    return createHash('sha256').update(`file ${DECODER}\n`).update(bytes).digest('hex');
  } catch (error) {
    throw new UserError(`Cannot read the image ${path}: ${messageOf(error)}. Check the path.`);
  }
}
