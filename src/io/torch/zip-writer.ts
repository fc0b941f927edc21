/**
 * Zip archives of stored entries whose data begin at multiples of 64, as PyTorch's own writer makes them
 * (caffe2/serialize/inline_container.cc) so that tensors can be mapped into memory. Entries and offsets beyond 4 GiB
 * use the zip64 form. (APPNOTE.TXT 4.3-4.5)
 */
import { crc32 } from 'node:zlib';
import { LET_GO } from '../atomic/atomic-file.js';

export interface ZipEntry {
  readonly name: string;
  readonly size: number;
  read(): readonly Uint8Array[];
}

interface WrittenEntry {
  readonly name: Buffer;
  readonly size: number;
  readonly crc: number;
  readonly offset: number;
}

const ALIGNMENT = 64;
const LOCAL_HEADER = 30;
const MOST_32 = 0xffffffff;
const MOST_16 = 0xffff;
/** Versions of the format needed to read: 2.0, and 4.5 for zip64. */
const VERSION = 20;
const VERSION_64 = 45;
/** Names are UTF-8. */
const FLAGS = 0x800;
/** 1980-01-01, the earliest date of a zip: equal content makes equal files. */
const DATE = 0x21;

/**
 * The archive's bytes. Pieces share memory with the entries' data: use each before requesting the next.
 * @param last entry made of the checksums of all others
 */
export function* zipPieces(
  entries: Iterable<ZipEntry>,
  last?: (checksums: readonly { readonly name: string; readonly crc: number }[]) => ZipEntry,
): Generator<Uint8Array, void> {
  const written: WrittenEntry[] = [];
  let position = 0;
  const add = function* (entry: ZipEntry): Generator<Uint8Array, void> {
    const data = entry.read();
    const size = data.reduce((sum, piece) => sum + piece.byteLength, 0);
    if (size !== entry.size) throw new Error(`${entry.name} should have ${entry.size} bytes, but has ${size}`);
    const crc = data.reduce((value, piece) => crc32(piece, value), 0);
    const record = { name: Buffer.from(entry.name, 'utf8'), size, crc, offset: position };
    written.push(record);
    const header = localHeader(record);
    position += header.length + size;
    yield header;
    yield* data;
    yield LET_GO;
  };
  for (const entry of entries) yield* add(entry);
  if (last !== undefined) yield* add(last(written.map(({ name, crc }) => ({ name: name.toString('utf8'), crc }))));
  const directory = Buffer.concat(written.map(directoryRecord));
  yield directory;
  yield endOfDirectory(written.length, position, directory.length);
}

function localHeader({ name, size, crc, offset }: WrittenEntry): Buffer {
  const needs64 = size >= MOST_32;
  const sizes64 = needs64 ? zip64Extra([size, size]) : Buffer.alloc(0);
  // PyTorch's field "FB" fills up to the alignment; its own header has 4 bytes.
  const unpadded = offset + LOCAL_HEADER + name.length + sizes64.length + 4;
  const padding = extraField(0x4246, Buffer.alloc((ALIGNMENT - (unpadded % ALIGNMENT)) % ALIGNMENT, 'Z'));
  const size32 = needs64 ? MOST_32 : size;
  const fixed = Buffer.alloc(LOCAL_HEADER);
  fixed.writeUInt32LE(0x04034b50, 0);
  writeCommon(fixed, 4, needs64, crc, size32);
  fixed.writeUInt16LE(name.length, 26);
  fixed.writeUInt16LE(sizes64.length + padding.length, 28);
  return Buffer.concat([fixed, name, sizes64, padding]);
}

function directoryRecord({ name, size, crc, offset }: WrittenEntry): Buffer {
  const large = [...(size >= MOST_32 ? [size, size] : []), ...(offset >= MOST_32 ? [offset] : [])];
  const extra = large.length > 0 ? zip64Extra(large) : Buffer.alloc(0);
  const fixed = Buffer.alloc(46);
  fixed.writeUInt32LE(0x02014b50, 0);
  fixed.writeUInt16LE(large.length > 0 ? VERSION_64 : VERSION, 4); // made by
  writeCommon(fixed, 6, large.length > 0, crc, Math.min(size, MOST_32));
  fixed.writeUInt16LE(name.length, 28);
  fixed.writeUInt16LE(extra.length, 30);
  // comment, disk and attributes stay 0
  fixed.writeUInt32LE(Math.min(offset, MOST_32), 42);
  return Buffer.concat([fixed, name, extra]);
}

/** The common part of both headers: version needed, flags, method (0: stored), time, date, checksum, two sizes. */
function writeCommon(header: Buffer, at: number, needs64: boolean, crc: number, size: number): void {
  header.writeUInt16LE(needs64 ? VERSION_64 : VERSION, at);
  header.writeUInt16LE(FLAGS, at + 2);
  header.writeUInt16LE(DATE, at + 8);
  header.writeUInt32LE(crc, at + 10);
  header.writeUInt32LE(size, at + 14);
  header.writeUInt32LE(size, at + 18);
}

/** Numbers that do not fit into 32 bits, in the format's order. */
function zip64Extra(values: readonly number[]): Buffer {
  const data = Buffer.alloc(8 * values.length);
  values.forEach((value, i) => data.writeBigUInt64LE(BigInt(value), 8 * i));
  return extraField(1, data);
}

function extraField(id: number, data: Buffer): Buffer {
  const header = Buffer.alloc(4);
  header.writeUInt16LE(id, 0);
  header.writeUInt16LE(data.length, 2);
  return Buffer.concat([header, data]);
}

function endOfDirectory(count: number, start: number, length: number): Buffer {
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Math.min(count, MOST_16), 8);
  end.writeUInt16LE(Math.min(count, MOST_16), 10);
  end.writeUInt32LE(Math.min(length, MOST_32), 12);
  end.writeUInt32LE(Math.min(start, MOST_32), 16);
  if (count < MOST_16 && length < MOST_32 && start < MOST_32) return end;
  const end64 = Buffer.alloc(56);
  end64.writeUInt32LE(0x06064b50, 0);
  end64.writeBigUInt64LE(44n, 4); // bytes of this record that follow
  end64.writeUInt16LE(VERSION_64, 12);
  end64.writeUInt16LE(VERSION_64, 14);
  end64.writeBigUInt64LE(BigInt(count), 24);
  end64.writeBigUInt64LE(BigInt(count), 32);
  end64.writeBigUInt64LE(BigInt(length), 40);
  end64.writeBigUInt64LE(BigInt(start), 48);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50, 0);
  locator.writeBigUInt64LE(BigInt(start + length), 8);
  locator.writeUInt32LE(1, 16); // disks
  return Buffer.concat([end64, locator, end]);
}
