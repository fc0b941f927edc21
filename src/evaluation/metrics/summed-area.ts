/** How many pixels of a mask are inside within a window, at the same cost for windows of any size (summed-area table). */
import type { BinaryMask } from '../../types.js';

export class SummedArea {
  private readonly height: number;
  private readonly width: number;
  /** [height + 1, width + 1]: how many pixels above and to the left are inside. */
  private readonly sums: Uint32Array;

  constructor({ data, height, width }: BinaryMask) {
    this.height = height;
    this.width = width;
    const row = width + 1;
    this.sums = new Uint32Array((height + 1) * row);
    for (let y = 0; y < height; y++) {
      let line = 0;
      for (let x = 0; x < width; x++) {
        if (data[y * width + x] !== 0) line++;
        this.sums[(y + 1) * row + x + 1] = (this.sums[y * row + x + 1] as number) + line;
      }
    }
  }

  /** Whether all pixels at most `reach` away (in rows and in columns), as far as the mask goes, are of one kind. */
  isUniform(y: number, x: number, reach: number): boolean {
    const top = y < reach ? 0 : y - reach;
    const left = x < reach ? 0 : x - reach;
    const bottom = y + reach < this.height ? y + reach + 1 : this.height;
    const right = x + reach < this.width ? x + reach + 1 : this.width;
    const row = this.width + 1;
    const inside =
      (this.sums[bottom * row + right] as number) -
      (this.sums[bottom * row + left] as number) -
      (this.sums[top * row + right] as number) +
      (this.sums[top * row + left] as number);
    return inside === 0 || inside === (bottom - top) * (right - left);
  }
}
