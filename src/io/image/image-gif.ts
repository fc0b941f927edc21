/**
 * Open pixels of a GIF's first frame, filled as OpenCV fills them: pixels outside of the frame and transparent ones
 * have the background colour of the file, black where it has no colours of its own.
 */
import type { ImageBytes } from './image-source.js';

const MOST_BLOCKS = 1_000_000;
const IMAGE = 0x2c;
const EXTENSION = 0x21;

export interface GifFrame {
  readonly screenWidth: number;
  readonly screenHeight: number;
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  /** Colour of open pixels. */
  readonly background: readonly [red: number, green: number, blue: number];
  /** Where its pixels begin. */
  readonly dataAt: number;
  /** Without global and local colours, numbers are grey values, and 1 is white. */
  readonly isWithoutColours: boolean;
}

/** The first frame; null where the file ends before it. */
export function gifFrame(bytes: ImageBytes): GifFrame | null {
  const screen = bytes.at(0, 13);
  if (screen.length < 13) return null;
  const flags = screen[10] as number;
  const colours = (flags & 0x80) === 0 ? 0 : 2 << (flags & 7);
  const index = screen[11] as number;
  const [red = 0, green = 0, blue = 0] = index < colours ? bytes.at(13 + 3 * index, 3) : [];
  let position = 13 + 3 * colours;
  for (let i = 0; i < MOST_BLOCKS; i++) {
    const head = bytes.at(position, 10);
    if (head[0] === EXTENSION) {
      position = afterBlocks(bytes, position + 2);
      continue;
    }
    if (head[0] !== IMAGE || head.length < 10) return null;
    const localFlags = head[9] as number;
    const localBytes = (localFlags & 0x80) === 0 ? 0 : 3 * (2 << (localFlags & 7));
    return {
      screenWidth: screen.readUInt16LE(6),
      screenHeight: screen.readUInt16LE(8),
      left: head.readUInt16LE(1),
      top: head.readUInt16LE(3),
      width: head.readUInt16LE(5),
      height: head.readUInt16LE(7),
      background: [red, green, blue],
      dataAt: position + 10 + localBytes,
      isWithoutColours: colours === 0 && localBytes === 0,
    };
  }
  return null;
}

function afterBlocks(bytes: ImageBytes, start: number): number {
  for (let position = start, i = 0; ; i++) {
    const length = bytes.at(position, 1)[0] ?? 0;
    position += 1 + length;
    if (length === 0 || i === MOST_BLOCKS) return position;
  }
}

/** Pixels of the frame in the file: the decoder silently accepts a frame that is too short. */
export function storedPixels(file: Buffer, { dataAt, width, height }: GifFrame): number {
  const blocks: Buffer[] = [];
  for (let at = dataAt + 1; (file[at] ?? 0) > 0; at += 1 + (file[at] as number)) {
    blocks.push(file.subarray(at + 1, at + 1 + (file[at] as number)));
  }
  return lzwPixels(Buffer.concat(blocks), file[dataAt] ?? 0, width * height);
}

/** The picture with open pixels filled. @param rgba four bytes per pixel */
export function filledGif(rgba: Uint8Array, height: number, width: number, frame: GifFrame): Uint8Array {
  const rgb = new Uint8Array(height * width * 3);
  const { background } = frame;
  for (let y = 0, pixel = 0; y < height; y++) {
    const isRow = y >= frame.top && y < frame.top + frame.height;
    for (let x = 0; x < width; x++, pixel++) {
      const isInside = isRow && x >= frame.left && x < frame.left + frame.width && rgba[4 * pixel + 3] !== 0;
      for (let c = 0; c < 3; c++) rgb[3 * pixel + c] = (isInside ? rgba[4 * pixel + c] : background[c]) as number;
    }
  }
  return rgb;
}

const MOST_BITS = 12;

/**
 * Number of pixels of LZW codes, which are not decoded; at most `most`.
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
