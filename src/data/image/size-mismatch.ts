/** Description of a picture whose size differs from its annotations, most often by an EXIF orientation. */
import { basename } from 'node:path';
import { readImageOrientation } from '../../io/image/image-file.js';

/** Pixels. */
export interface Size {
  readonly height: number;
  readonly width: number;
}

/** EXIF orientations from here on turn the picture by a quarter. */
const FIRST_QUARTER_TURN = 5;

/**
 * The mismatch as a sentence without its final stop, with advice; null where the sizes agree.
 * @param found size of the picture, upright
 * @param wanted size of the annotations
 * @param source origin of that size: "the line says", "a.json says"
 */
export async function sizeMismatch(path: string, found: Size, wanted: Size, source: string): Promise<string | null> {
  if (found.height === wanted.height && found.width === wanted.width) return null;
  const sizes = `it has ${found.width} × ${found.height} pixels, ${source} ${wanted.width} × ${wanted.height} (width × height)`;
  const isSwapped = found.width === wanted.height && found.height === wanted.width;
  if (!isSwapped) return `${sizes}; use the picture that was annotated`;
  const orientation = await readImageOrientation(path);
  if (orientation < FIRST_QUARTER_TURN)
    return `${sizes}: width and height are swapped: the picture was turned, or the numbers were`;
  return (
    `${sizes}: ${basename(path)} is turned by its EXIF orientation ${orientation}, and the annotations were made on the ` +
    `unturned picture. Remove the orientation and both agree: exiftool -Orientation= '${path}'`
  );
}
