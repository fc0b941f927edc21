/** Images turned and mirrored as EXIF's orientations 1 to 8 say. */
import type { RgbImage } from '../../types.js';

/** Whether height and width change places. */
export function swapsSides(orientation: number): boolean {
  return orientation >= 5;
}

/**
 * The image upright.
 * @param orientation EXIF's: 2 mirrored, 3 upside down, 4 flipped, 5 transposed, 6 to be turned right, 7 transversed, 8
 *   to be turned left; the image itself for 1
 */
export function turned(image: RgbImage, orientation: number): RgbImage {
  if (orientation <= 1 || orientation > 8) return image;
  const { data, height, width } = image;
  const [newHeight, newWidth] = swapsSides(orientation) ? [width, height] : [height, width];
  // Where the first pixel of a new row comes from, and the steps to the next pixel and the next row.
  const fromRight = orientation === 2 || orientation === 3 || orientation === 7 || orientation === 8;
  const fromBelow = orientation === 3 || orientation === 4 || orientation === 6 || orientation === 7;
  const [stepX, stepY] = [fromRight ? -1 : 1, fromBelow ? -width : width];
  const [along, down] = swapsSides(orientation) ? [stepY, stepX] : [stepX, stepY];
  const first = (fromRight ? width - 1 : 0) + (fromBelow ? (height - 1) * width : 0);
  const result = new Uint8Array(data.length);
  let to = 0;
  for (let y = 0; y < newHeight; y++) {
    let from = 3 * (first + y * down);
    for (let x = 0; x < newWidth; x++) {
      result[to] = data[from] as number;
      result[to + 1] = data[from + 1] as number;
      result[to + 2] = data[from + 2] as number;
      to += 3;
      from += 3 * along;
    }
  }
  return { data: result, height: newHeight, width: newWidth };
}
