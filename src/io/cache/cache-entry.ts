/**
 * One entry of a `FileCache` as a file: a header that says whose content it is and how to check it, then the content.
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
import { type FileHandle, open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';

const MARK = Buffer.from('GSVA-FC\x01', 'latin1');
export const HEADER_BYTES = 48;
/** Where the checked part begins. */
const CHECKED_FROM = 12;
export const KEY_BYTES = 32;
/** Larger files are no entries: SAM's image embedding has 4 MiB, CLIP's features 1 MiB. */
export const MOST_CONTENT_BYTES = 2 ** 28;

/** The file is there, but not as it was written. */
export class DamagedEntry extends Error {
  override readonly name: string = 'DamagedEntry';
}

/** Header of an entry whose content is `pieces`, one after the other. */
export function entryHeader(key: Buffer, pieces: readonly Uint8Array[]): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  MARK.copy(header);
  header.writeUInt32LE(
    pieces.reduce((sum, piece) => sum + piece.byteLength, 0),
    12,
  );
  key.copy(header, 16);
  header.writeUInt32LE(checksum(header, pieces), 8);
  return header;
}

function checksum(header: Buffer, pieces: readonly Uint8Array[]): number {
  return pieces.reduce((value, piece) => crc32(piece, value), crc32(header.subarray(CHECKED_FROM)));
}

/**
 * Reads an entry, checks it, and marks it as used now.
 * @returns its content, in memory of its own
 * @throws DamagedEntry; or the system's error, ENOENT where there is none
 */
export async function readEntry(path: string, key: Buffer): Promise<Uint8Array> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const contentBytes = size - HEADER_BYTES;
    if (contentBytes < 0 || contentBytes > MOST_CONTENT_BYTES) throw new DamagedEntry(`it has ${size} bytes`);
    const header = Buffer.alloc(HEADER_BYTES);
    await fill(file, header, 0);
    if (!header.subarray(0, MARK.length).equals(MARK)) throw new DamagedEntry('it does not begin as an entry does');
    const stated = header.readUInt32LE(12);
    if (stated !== contentBytes) {
      throw new DamagedEntry(`its content should have ${stated} bytes, found ${contentBytes}`);
    }
    const content = new Uint8Array(contentBytes);
    await fill(file, content, HEADER_BYTES);
    if (header.readUInt32LE(8) !== checksum(header, [content])) throw new DamagedEntry('its checksum is wrong');
    if (!header.subarray(16, 16 + KEY_BYTES).equals(key)) throw new DamagedEntry('it holds the entry of another key');
    const now = new Date();
    await file.utimes(now, now);
    return content;
  } finally {
    await file.close();
  }
}

async function fill(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < bytes.byteLength;) {
    const { bytesRead } = await file.read(bytes, at, bytes.byteLength - at, position + at);
    if (bytesRead === 0) throw new DamagedEntry('it ends too early');
    at += bytesRead;
  }
}
