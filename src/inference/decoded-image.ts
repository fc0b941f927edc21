/** Pictures as a program gives them: a path, the bytes of a file, or pixels. */
import { coded, UserError } from '../errors.js';
import { readImage } from '../io/image/image-file.js';
import type { RgbImage } from '../types.js';
import type { ImageSource } from './reply.js';

/** @throws UserError with the code 'bad-image' */
export function decodedImage(image: ImageSource): Promise<RgbImage> {
  return coded('bad-image', async () =>
    typeof image === 'string' || image instanceof Uint8Array ? readImage(image) : checkedImage(image),
  );
}

function checkedImage(image: unknown): RgbImage {
  const { data, height, width } = (typeof image === 'object' && image !== null ? image : {}) as Partial<RgbImage>;
  if (!(data instanceof Uint8Array) || typeof height !== 'number' || typeof width !== 'number') {
    throw new UserError(
      'Reading the image: it is a path, the bytes of an image file (Uint8Array), or { data: Uint8Array, height, width }.',
    );
  }
  const sized = Number.isSafeInteger(height) && Number.isSafeInteger(width) && height > 0 && width > 0;
  if (!sized) {
    throw new UserError(
      `Reading the image: height and width are whole numbers from 1 up; found ${height} and ${width}.`,
    );
  }
  if (data.length === height * width * 3) return { data, height, width };
  throw new UserError(
    `Reading the image: ${height} × ${width} pixels are ${height * width * 3} bytes of RGB, found ${data.length}.`,
  );
}
