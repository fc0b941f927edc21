/** Reads a small zip of stored entries by its directory, and holds every local header against it. */

export interface ZippedFile {
  readonly name: string;
  /** Where the data begin. */
  readonly start: number;
  readonly crc: number;
  readonly data: Buffer;
}

export function readZip(bytes: Buffer): ZippedFile[] {
  const end = bytes.length - 22;
  if (bytes.readUInt32LE(end) !== 0x06054b50) throw new Error('no end of directory');
  const is64 = bytes.readUInt16LE(end + 10) === 0xffff;
  const end64 = is64 ? Number(bytes.readBigUInt64LE(end - 12)) : 0;
  const count = is64 ? Number(bytes.readBigUInt64LE(end64 + 32)) : bytes.readUInt16LE(end + 10);
  let at = is64 ? Number(bytes.readBigUInt64LE(end64 + 48)) : bytes.readUInt32LE(end + 16);
  const files: ZippedFile[] = [];
  for (let i = 0; i < count; i++) {
    if (bytes.readUInt32LE(at) !== 0x02014b50) throw new Error(`no directory record at ${at}`);
    const nameLength = bytes.readUInt16LE(at + 28);
    const common = bytes.subarray(at + 6, at + 28);
    const local = bytes.readUInt32LE(at + 42);
    if (bytes.readUInt32LE(local) !== 0x04034b50 || !bytes.subarray(local + 4, local + 26).equals(common)) {
      throw new Error(`the local header of entry ${i} says something else`);
    }
    const start = local + 30 + nameLength + bytes.readUInt16LE(local + 28);
    files.push({
      name: bytes.toString('utf8', at + 46, at + 46 + nameLength),
      start,
      crc: bytes.readUInt32LE(at + 16),
      data: bytes.subarray(start, start + bytes.readUInt32LE(at + 24)),
    });
    at += 46 + nameLength + bytes.readUInt16LE(at + 30);
  }
  return files;
}
