/**
 * One entry of a `FileCache` as a file: a header that names the entry and how to check it, then the content.
 *
 *     0   8   mark of the format, its version in the last byte
 *     8   4   CRC-32 of everything after this number, little-endian
 *     12  4   bytes of content, little-endian
 *     16  32  key
 *     48  …   content
 *
 * CRC-32 finds every burst of up to 32 wrong bits and all but 2^-32 of other damage; zlib's is three times as fast as
 * SHA-256. It guards against disks and half-written files, not against people who may write into the folder.
 */
import { open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';

const MARK = Buffer.from('GSVA-FC\x01', 'latin1');
export const HEADER_BYTES = 48;
/** Where the checked part begins. */
const CHECKED_FROM = 12;
/** Larger files are no entries: SAM's image embedding has 4 MiB, CLIP's features 1 MiB. */
export const MOST_CONTENT_BYTES = 2 ** 28;

/** The file exists, but is not as it was written. */
export class DamagedEntry extends Error {
  override readonly name: string = 'DamagedEntry';
}

/** Header of an entry whose content is `pieces`, one after the other. */
export function entryHeader(key: Buffer, pieces: readonly Uint8Array[]): Buffer {
  const header = Buffer.concat([MARK, Buffer.alloc(8), key]);
  header.writeUInt32LE(
    pieces.reduce((sum, piece) => sum + piece.byteLength, 0),
    CHECKED_FROM,
  );
  header.writeUInt32LE(checksum(header, pieces), 8);
  return header;
}

function checksum(header: Buffer, pieces: readonly Uint8Array[]): number {
  return pieces.reduce((value, piece) => crc32(piece, value), crc32(header.subarray(CHECKED_FROM)));
}

/** Content of an entry, 16-byte aligned; checks it and marks it used. @throws DamagedEntry; or the system's error */
export async function readEntry(path: string, key: Buffer): Promise<Uint8Array> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const bytes = size - HEADER_BYTES;
    if (bytes < 0 || bytes > MOST_CONTENT_BYTES) throw new DamagedEntry(`it has ${size} bytes`);
    const all = Buffer.alloc(size);
    if ((await file.read(all, 0, size, 0)).bytesRead < size) throw new DamagedEntry('it ends too early');
    const [header, content] = [all.subarray(0, HEADER_BYTES), new Uint8Array(all.buffer, HEADER_BYTES)];
    if (!header.subarray(0, MARK.length).equals(MARK)) throw new DamagedEntry('it does not begin as an entry does');
    const stated = header.readUInt32LE(CHECKED_FROM);
    if (stated !== bytes) throw new DamagedEntry(`its content should have ${stated} bytes, found ${bytes}`);
    if (header.readUInt32LE(8) !== checksum(header, [content])) throw new DamagedEntry('its checksum is wrong');
    if (!header.subarray(16).equals(key)) throw new DamagedEntry('it holds the entry of another key');
    const now = new Date();
    await file.utimes(now, now);
    return content;
  } finally {
    await file.close();
  }
}
