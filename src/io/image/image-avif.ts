/**
 * Orientation of an AVIF file's primary image. The decoder applies the properties irot and imir; OpenCV ignores these
 * and applies the EXIF item. So the one is undone and the other done.
 */
import { exifOrientation, withoutExifPrefix } from './image-orientation.js';
import type { ImageBytes } from './image-source.js';

const MOST_META_BYTES = 1 << 24;
const MOST_BOXES = 10_000;
/** EXIF's orientation that undoes the effect of each: a quarter turn to the left is undone by one to the right. */
const UNDO_TURN = [1, 6, 3, 8] as const;
const UNDO_MIRROR = [4, 2] as const;

interface Box {
  readonly type: string;
  readonly body: Buffer;
}

/** Orientations to apply in order, which undo the decoder's; orientation of the EXIF item, 1 to 8; 1 without one. */
export function avifTurns(bytes: ImageBytes): { readonly undo: readonly number[]; readonly exif: number } {
  const meta = metaBox(bytes);
  if (meta === null) return { undo: [], exif: 1 };
  try {
    const boxes = boxesOf(meta.subarray(4));
    return { undo: undoing(boxes), exif: exifOf(boxes, bytes) };
  } catch (error) {
    // A box that ends too early: the decoder has found another way, or will say that the file is damaged.
    if (error instanceof RangeError) return { undo: [], exif: 1 };
    throw error;
  }
}

function metaBox(bytes: ImageBytes): Buffer | null {
  let position = 0;
  for (let i = 0; i < MOST_BOXES && position < bytes.size; i++) {
    const head = bytes.at(position, 16);
    if (head.length < 8) return null;
    let size = head.readUInt32BE(0);
    let header = 8;
    if (size === 1 && head.length === 16) {
      size = Number(head.readBigUInt64BE(8));
      header = 16;
    }
    if (size === 0) size = bytes.size - position;
    if (size < header) return null;
    if (head.toString('latin1', 4, 8) === 'meta') {
      return bytes.at(position + header, Math.min(size - header, MOST_META_BYTES));
    }
    position += size;
  }
  return null;
}

function boxesOf(bytes: Buffer): Box[] {
  const boxes: Box[] = [];
  for (let at = 0; at + 8 <= bytes.length && boxes.length < MOST_BOXES;) {
    const size = bytes.readUInt32BE(at) || bytes.length - at;
    if (size < 8) break;
    boxes.push({ type: bytes.toString('latin1', at + 4, at + 8), body: bytes.subarray(at + 8, at + size) });
    at += size;
  }
  return boxes;
}

function bodyOf(boxes: readonly Box[], type: string): Buffer | null {
  return boxes.find((box) => box.type === type)?.body ?? null;
}

/** The irot and imir properties of the primary item, undone from the last to the first. */
function undoing(boxes: readonly Box[]): number[] {
  const primary = bodyOf(boxes, 'pitm');
  const iprp = bodyOf(boxes, 'iprp');
  if (primary === null || iprp === null) return [];
  const item = primary[0] === 0 ? primary.readUInt16BE(4) : primary.readUInt32BE(4);
  const inner = boxesOf(iprp);
  const properties = boxesOf(bodyOf(inner, 'ipco') ?? Buffer.alloc(0));
  const undo: number[] = [];
  for (const { type, body } of inner) {
    if (type !== 'ipma') continue;
    for (const index of associated(body, item)) {
      const property = properties[index - 1];
      const value = property?.body[0] ?? 0;
      if (property?.type === 'irot') undo.push(UNDO_TURN[value & 3] ?? 1);
      if (property?.type === 'imir') undo.push(UNDO_MIRROR[value & 1] ?? 1);
    }
  }
  return undo.reverse();
}

/** Numbers of the properties of an item, in order; from 1 on. */
function associated(ipma: Buffer, wanted: number): number[] {
  const isLong = ipma[0] !== 0;
  const isWide = ((ipma[3] as number) & 1) !== 0;
  const count = ipma.readUInt32BE(4);
  let position = 8;
  for (let i = 0; i < count; i++) {
    const item = isLong ? ipma.readUInt32BE(position) : ipma.readUInt16BE(position);
    position += isLong ? 4 : 2;
    const number = ipma.readUInt8(position++);
    const found: number[] = [];
    for (let j = 0; j < number; j++) {
      found.push(isWide ? ipma.readUInt16BE(position) & 0x7fff : ipma.readUInt8(position) & 0x7f);
      position += isWide ? 2 : 1;
    }
    if (item === wanted) return found;
  }
  return [];
}

function exifOf(boxes: readonly Box[], bytes: ImageBytes): number {
  const item = exifItem(bodyOf(boxes, 'iinf'));
  const place = item === null ? null : placeOf(bodyOf(boxes, 'iloc'), item);
  if (place === null) return 1;
  const [position, length] = place;
  // The item begins with the length of what stands before the byte order mark.
  const block = bytes.at(position, Math.min(length, MOST_META_BYTES));
  if (block.length < 8) return 1;
  return exifOrientation(withoutExifPrefix(block.subarray(4 + block.readUInt32BE(0)))) ?? 1;
}

function exifItem(iinf: Buffer | null): number | null {
  if (iinf === null) return null;
  for (const { type, body } of boxesOf(iinf.subarray(iinf[0] === 0 ? 6 : 8))) {
    const version = body[0] ?? 0;
    const idBytes = version === 2 ? 2 : 4;
    const isExif = body.toString('latin1', 6 + idBytes, 10 + idBytes) === 'Exif';
    if (type === 'infe' && version >= 2 && isExif) return body.readUIntBE(4, idBytes);
  }
  return null;
}

/** Position and length of an item in one piece. */
function placeOf(iloc: Buffer | null, wanted: number): [position: number, length: number] | null {
  if (iloc === null) return null;
  const version = iloc.readUInt8(0);
  const [sizes, more] = [iloc.readUInt8(4), iloc.readUInt8(5)];
  let position = 6;
  const next = (size: number): number => {
    if (size === 0) return 0;
    position += size;
    return size === 8 ? Number(iloc.readBigUInt64BE(position - 8)) : iloc.readUIntBE(position - size, size);
  };
  const count = next(version < 2 ? 2 : 4);
  for (let i = 0; i < count; i++) {
    const item = next(version < 2 ? 2 : 4);
    const method = version === 0 ? 0 : next(2) & 15;
    next(2); // the number of the data reference
    const base = next(more >> 4);
    const extents = next(2);
    let place: [number, number] | null = null;
    for (let j = 0; j < extents; j++) {
      if (version > 0) next(more & 15);
      const offset = next(sizes >> 4);
      place = [base + offset, next(sizes & 15)];
    }
    if (item === wanted) return extents === 1 && method === 0 ? place : null;
  }
  return null;
}
