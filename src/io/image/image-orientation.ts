/** Where JPEG, PNG and WebP files keep their orientation. TIFF has a tag of its own, AVIF an item. */
import { exifOrientation, hasExifPrefix, withoutExifPrefix } from './image-exif.js';
import type { ImageBytes } from './image-source.js';

/** No EXIF block of a sound file is longer; bounds what a hostile length can ask for. */
const MOST_EXIF_BYTES = 1 << 24;
/** Segments or chunks that are looked at. A PNG of 100 million pixels has some ten thousand. */
const MOST_PARTS = 100_000;

/** Orientation of a JPEG, 1 to 8: the first that one of its EXIF segments states. */
export function jpegOrientation(bytes: ImageBytes): number {
  let position = 2;
  for (let i = 0; i < MOST_PARTS; i++) {
    const head = bytes.at(position, 4);
    if (head.length < 4 || head[0] !== 0xff) return 1;
    const marker = head[1] as number;
    // Filling bytes before a marker, and markers without a length.
    if (marker === 0xff || marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)) {
      position += marker === 0xff ? 1 : 2;
      continue;
    }
    // The pixels begin, or the file ends.
    if (marker === 0xda || marker === 0xd9) return 1;
    const length = head.readUInt16BE(2);
    if (marker === 0xe1) {
      const segment = bytes.at(position + 4, length - 2);
      const orientation = hasExifPrefix(segment) ? exifOrientation(segment.subarray(6)) : null;
      if (orientation !== null) return orientation;
    }
    position += 2 + length;
  }
  return 1;
}

/** Orientation of a PNG, 1 to 8: that of its first eXIf chunk, before or after the pixels. */
export function pngOrientation(bytes: ImageBytes): number {
  let position = 8;
  for (let i = 0; i < MOST_PARTS; i++) {
    const head = bytes.at(position, 8);
    if (head.length < 8) return 1;
    const length = head.readUInt32BE(0);
    if (head.toString('latin1', 4) === 'eXIf') {
      const block = bytes.at(position + 8, Math.min(length, MOST_EXIF_BYTES));
      // libpng passes over a chunk that does not begin with a byte order mark.
      if (/^(II|MM)$/.test(block.toString('latin1', 0, 2))) return exifOrientation(block) ?? 1;
    }
    position += 12 + length;
  }
  return 1;
}

/** Orientation of a WebP, 1 to 8: that of its EXIF chunk, with or without "Exif\0\0" in front. */
export function webpOrientation(bytes: ImageBytes): number {
  let position = 12;
  for (let i = 0; i < MOST_PARTS; i++) {
    const head = bytes.at(position, 8);
    if (head.length < 8) return 1;
    const length = head.readUInt32LE(4);
    if (head.toString('latin1', 0, 4) === 'EXIF') {
      return exifOrientation(withoutExifPrefix(bytes.at(position + 8, Math.min(length, MOST_EXIF_BYTES)))) ?? 1;
    }
    position += 8 + length + (length % 2);
  }
  return 1;
}
