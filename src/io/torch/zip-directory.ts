/**
 * The directory of a zip file (APPNOTE.TXT of PKWARE; zip64 too), as PyTorch writes checkpoints: stored entries. Files
 * come from strangers: every claim of a record is compared with the file, and ambiguities (entries twice, overlaps,
 * gaps in the end records) are refused.
 */
import { type ByteSource, readPart } from '../byte-source.js';
import { type Fail, quote } from '../safetensors/safetensors-header.js';

export interface ZipEntry {
  readonly name: string;
  readonly size: number;
  readonly compressedSize: number;
  /** 0: stored. */
  readonly method: number;
  readonly crc32: number;
  /** Position of its local header, and of what follows: the next header, or the directory. */
  readonly headerOffset: number;
  readonly limit: number;
}

type Found = Omit<ZipEntry, 'limit'>;

const LARGEST_DIRECTORY = 64 * 2 ** 20;
const LONGEST_COMMENT = 65535;
/** Bytes of the records, without their names and comments. */
const SIZE = { local: 30, central: 46, end: 22, end64: 56, locator: 20 };
const SIGNATURE = { local: 0x04034b50, central: 0x02014b50, end: 0x06054b50, end64: 0x06064b50, locator: 0x07064b50 };
/** Flags: encrypted, strongly encrypted, names hidden. */
const ENCRYPTED = 0x0001 | 0x0040 | 0x2000;
const IN_ZIP64 = 0xffffffff;

/** @param fail throws an error that names the file @returns entries by name, in the directory's order */
export function readZipDirectory(source: ByteSource, fail: Fail): Map<string, ZipEntry> {
  const { count, size, offset } = readEnd(source, fail);
  const bytes = readPart(source, offset, size);
  const found: Found[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    const { entry, length } = readCentral(bytes, at, offset, fail);
    found.push(entry);
    at += length;
  }
  if (at !== size) fail(`its directory has ${size - at} bytes after its ${count} entries; it is damaged`);
  return withLimits(found, offset, fail);
}

/** Position of a stored entry's content. @throws by `fail` for a compressed entry or a different local header */
export function storedOffset(source: ByteSource, entry: ZipEntry, fail: Fail): number {
  const { name, headerOffset } = entry;
  if (entry.method !== 0 || entry.size !== entry.compressedSize) {
    fail(
      `its entry ${quote(name)} is compressed (method ${entry.method}), but PyTorch stores entries as they are; ` +
        'unpack it and pack it again without compression (zip -0), or save it again with torch.save',
    );
  }
  const nameBytes = Buffer.from(name, 'utf8');
  const length = SIZE.local + nameBytes.length;
  if (headerOffset + length > entry.limit) fail(`its entry ${quote(name)} has no room for a header; it is damaged`);
  const header = readPart(source, headerOffset, length);
  if (header.readUInt32LE(0) !== SIGNATURE.local) fail(`its entry ${quote(name)} has no local header; it is damaged`);
  const flags = header.readUInt16LE(6);
  const sameName = header.readUInt16LE(26) === nameBytes.length && header.subarray(SIZE.local).equals(nameBytes);
  if (!sameName || header.readUInt16LE(8) !== 0 || (flags & ENCRYPTED) !== 0) {
    fail(`its entry ${quote(name)} is described differently in its local header; it is damaged`);
  }
  const start = headerOffset + length + header.readUInt16LE(28);
  if (start + entry.size > entry.limit) {
    fail(`its entry ${quote(name)} of ${entry.size} bytes at ${start} reaches beyond ${entry.limit}; it is damaged`);
  }
  return start;
}

/** Facts of both end records, and where the directory ends. */
interface End {
  readonly disks: number;
  readonly countHere: number;
  readonly count: number;
  readonly size: number;
  readonly offset: number;
  readonly end: number;
}

function readEnd(source: ByteSource, fail: Fail): End {
  const length = Math.min(source.size, SIZE.end + LONGEST_COMMENT);
  const tailStart = source.size - length;
  const tail = readPart(source, tailStart, length);
  let at = length - SIZE.end;
  // The comment must reach to the end of the file exactly, or a comment could hold a second end record.
  while (at >= 0 && !(tail.readUInt32LE(at) === SIGNATURE.end && at + SIZE.end + tail.readUInt16LE(at + 20) === length))
    at--;
  if (at < 0)
    return fail('it begins like a zip file but has no directory at its end; it is cut off: download it again');
  const position = tailStart + at;
  const end: End = readZip64End(source, position, fail) ?? {
    disks: tail.readUInt32LE(at + 4),
    countHere: tail.readUInt16LE(at + 8),
    count: tail.readUInt16LE(at + 10),
    size: tail.readUInt32LE(at + 12),
    offset: tail.readUInt32LE(at + 16),
    end: position,
  };
  if (end.disks !== 0 || end.countHere !== end.count)
    fail('it is one of several parts of a zip file, expected one file');
  if (end.size > LARGEST_DIRECTORY) fail(`its directory has ${end.size} bytes, at most ${LARGEST_DIRECTORY} are read`);
  if (end.offset + end.size !== end.end) {
    fail(`its directory (${end.size} bytes at ${end.offset}) does not end at byte ${end.end}; it is damaged`);
  }
  if (end.count * SIZE.central > end.size) {
    fail(`its directory claims ${end.count} entries in ${end.size} bytes; it is damaged`);
  }
  return end;
}

/** The larger end record before the plain one, null without one. */
function readZip64End(source: ByteSource, position: number, fail: Fail): End | null {
  if (position < SIZE.locator + SIZE.end64) return null;
  const locator = readPart(source, position - SIZE.locator, SIZE.locator);
  if (locator.readUInt32LE(0) !== SIGNATURE.locator) return null;
  const end = Number(locator.readBigUInt64LE(8));
  if (end !== position - SIZE.locator - SIZE.end64) fail('its end records do not follow one another');
  const record = readPart(source, end, SIZE.end64);
  if (record.readUInt32LE(0) !== SIGNATURE.end64 || Number(record.readBigUInt64LE(4)) !== SIZE.end64 - 12) {
    fail('its zip64 end record is damaged');
  }
  return {
    disks: record.readUInt32LE(16) + record.readUInt32LE(20),
    countHere: Number(record.readBigUInt64LE(24)),
    count: Number(record.readBigUInt64LE(32)),
    size: Number(record.readBigUInt64LE(40)),
    offset: Number(record.readBigUInt64LE(48)),
    end,
  };
}

function readCentral(bytes: Buffer, at: number, directory: number, fail: Fail): { entry: Found; length: number } {
  if (at + SIZE.central > bytes.length || bytes.readUInt32LE(at) !== SIGNATURE.central) {
    return fail(`its directory has no entry at byte ${at}; it is damaged`);
  }
  const nameLength = bytes.readUInt16LE(at + 28);
  const extraLength = bytes.readUInt16LE(at + 30);
  const length = SIZE.central + nameLength + extraLength + bytes.readUInt16LE(at + 32);
  if (at + length > bytes.length) fail(`its directory is cut off at byte ${at}; it is damaged`);
  const nameBytes = bytes.subarray(at + SIZE.central, at + SIZE.central + nameLength);
  const name = nameBytes.toString('utf8');
  checkName(name, nameBytes, fail);
  if ((bytes.readUInt16LE(at + 8) & ENCRYPTED) !== 0) fail(`its entry ${quote(name)} is encrypted`);

  const extraStart = at + SIZE.central + nameLength;
  const wide = zip64Fields(bytes.subarray(extraStart, extraStart + extraLength), name, fail);
  const size = wide(bytes.readUInt32LE(at + 24));
  const compressedSize = wide(bytes.readUInt32LE(at + 20));
  const headerOffset = wide(bytes.readUInt32LE(at + 42));
  if (headerOffset + SIZE.local + nameLength + compressedSize > directory) {
    fail(`its entry ${quote(name)} (${compressedSize} bytes at ${headerOffset}) does not fit before the directory`);
  }
  const method = bytes.readUInt16LE(at + 10);
  const crc32 = bytes.readUInt32LE(at + 16);
  return { entry: { name, size, compressedSize, method, crc32, headerOffset }, length };
}

/** Reader of the 64-bit values in an entry's zip64 field, in order, for those that did not fit in 32 bits. */
function zip64Fields(extra: Buffer, name: string, fail: Fail): (value: number) => number {
  let fields = extra.subarray(0, 0);
  for (let at = 0; at + 4 <= extra.length;) {
    const end = at + 4 + extra.readUInt16LE(at + 2);
    if (extra.readUInt16LE(at) === 1) fields = extra.subarray(at + 4, end);
    at = end;
  }
  let at = 0;
  return (value) => {
    if (value !== IN_ZIP64) return value;
    if (at + 8 > fields.length) return fail(`its entry ${quote(name)} lacks its 64-bit sizes; it is damaged`);
    at += 8;
    return Number(fields.readBigUInt64LE(at - 8));
  };
}

/** Nothing is unpacked, so no path does harm; but no checkpoint has such names, and a later caller might unpack. */
function checkName(name: string, bytes: Buffer, fail: Fail): void {
  const parts = name.split(/[/\\]/);
  const isAbsolute = parts[0] === '' || /^[a-z]:/i.test(name);
  if (isAbsolute || parts.includes('..') || name.includes('\0'))
    fail(`it has an entry with the forbidden name ${quote(name)}`);
  if (!Buffer.from(name, 'utf8').equals(bytes)) fail(`it has an entry whose name is not UTF-8: ${quote(name)}`);
}

/** Entries may touch, in any order, but must not overlap: a small file must not claim much content. */
function withLimits(found: readonly Found[], directory: number, fail: Fail): Map<string, ZipEntry> {
  const inOrder = [...found].sort((a, b) => a.headerOffset - b.headerOffset);
  const limits = new Map<string, number>();
  inOrder.forEach((entry, i) => {
    const limit = inOrder[i + 1]?.headerOffset ?? directory;
    const nameLength = Buffer.byteLength(entry.name);
    if (entry.headerOffset + SIZE.local + nameLength + entry.compressedSize > limit) {
      fail(`its entry ${quote(entry.name)} overlaps the next one; it is damaged`);
    }
    if (limits.has(entry.name)) fail(`it has the entry ${quote(entry.name)} twice`);
    limits.set(entry.name, limit);
  });
  return new Map(found.map((entry) => [entry.name, { ...entry, limit: limits.get(entry.name) ?? directory }]));
}
