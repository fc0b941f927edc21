/** Pixels that a GIF frame's LZW codes stand for: the decoder takes a frame that is too short without a word. */

const MOST_BITS = 12;

/**
 * Counts pixels without making them; stops at `most`.
 * @param codeBits of a pixel's number, as the frame says, 2 to 11
 * @param codes the frame's data without the lengths of its blocks
 * @returns fewer than `most` where the codes end or are damaged before
 */
export function lzwPixels(codes: Uint8Array, codeBits: number, most: number): number {
  if (codeBits < 1 || codeBits >= MOST_BITS) return 0;
  const [clear, end] = [1 << codeBits, (1 << codeBits) + 1];
  const lengths = new Uint32Array(1 << MOST_BITS).fill(1, 0, clear);
  let [next, bits, previous] = [end + 1, codeBits + 1, -1];
  let [buffer, available, pixels] = [0, 0, 0];
  for (const byte of codes) {
    buffer |= byte << available;
    available += 8;
    while (available >= bits) {
      const code = buffer & ((1 << bits) - 1);
      buffer >>>= bits;
      available -= bits;
      if (code === end) return pixels;
      if (code === clear) {
        [next, bits, previous] = [end + 1, codeBits + 1, -1];
        continue;
      }
      if (code > next || (code === next && previous < 0)) return pixels;
      // A new sequence is the one before it and one pixel more; a code may name the sequence that it completes.
      if (previous >= 0 && next < 1 << MOST_BITS) {
        lengths[next] = (lengths[previous] as number) + 1;
        next++;
        if (next === 1 << bits && bits < MOST_BITS) bits++;
      }
      pixels += lengths[code] as number;
      if (pixels >= most) return most;
      previous = code;
    }
  }
  return pixels;
}
