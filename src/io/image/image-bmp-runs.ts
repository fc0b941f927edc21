/** BMP's run lengths of 4 and 8 bits → one number per pixel. */

const END_OF_LINE = 0;
const END_OF_BITMAP = 1;
const DELTA = 2;

/**
 * Numbers of the palette, in the order of the file's rows; 0 where nothing is written.
 * @param bits 4 or 8, per number
 * @returns a sentence where the runs are damaged: one goes beyond its line, or they end before the last line
 */
export function bmpIndices(runs: Uint8Array, width: number, height: number, bits: 4 | 8): Uint8Array | string {
  const numbers = new Uint8Array(width * height);
  let [x, y, at] = [0, 0, 0];
  for (;;) {
    const [count, value] = [runs[at], runs[at + 1]];
    if (count === undefined || value === undefined) {
      const isWhole = y === height || (y === height - 1 && x === width);
      return isWhole ? numbers : `its runs end in line ${y + 1} of ${height}`;
    }
    at += 2;
    if (count === 0 && value === END_OF_BITMAP) return numbers;
    if (count === 0 && value === END_OF_LINE) {
      [x, y] = [0, Math.min(y + 1, height)];
    } else if (count === 0 && value === DELTA) {
      x += runs[at] ?? 0;
      y += runs[at + 1] ?? 0;
      at += 2;
      if (x > width || y > height) return `a jump leads to column ${x + 1}, line ${y + 1} of ${width} x ${height}`;
    } else {
      // Some writers leave out the end of a full line.
      if (x === width) [x, y] = [0, y + 1];
      if (y >= height) return `a run begins below line ${height}`;
      const length = count === 0 ? value : count;
      if (x + length > width) return `a run of line ${y + 1} ends in column ${x + length} of ${width}`;
      const to = y * width + x;
      if (count === 0) {
        const stored = bits === 8 ? length : Math.ceil(length / 2);
        if (at + stored > runs.length) return `its runs end in line ${y + 1} of ${height}`;
        for (let i = 0; i < length; i++) {
          numbers[to + i] = bits === 8 ? (runs[at + i] as number) : nibble(runs[at + (i >> 1)] as number, i);
        }
        at += stored + (stored % 2);
      } else {
        for (let i = 0; i < length; i++) numbers[to + i] = bits === 8 ? value : nibble(value, i);
      }
      x += length;
    }
  }
}

/** The upper half of a byte for even places, the lower for odd ones. */
function nibble(byte: number, place: number): number {
  return place % 2 === 0 ? byte >> 4 : byte & 15;
}
