/**
 * The folder of a `FileCache`, as several processes see it at once: which entries it has, and what ended processes left
 * behind. Anything may vanish between two looks, because another process makes room; that is never an error here.
 *
 *     ab/abcd….entry          an entry: 64 hexadecimal digits, in the folder of the first two
 *     writing/HOST-PID-X      an entry that a process is writing now
 *     kind                    what the entries are, in words
 *
 * Names of any other form are not ours and are left alone. An entry is a file with a header that names it and how to
 * check it, then the content:
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
import { createHash, randomBytes } from 'node:crypto';
import { open, readdir, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { isRunning } from '../atomic/atomic-file.js';

const SUFFIX = '.entry';
const ENTRY = /^[0-9a-f]{64}\.entry$/;
const SHELF = /^[0-9a-f]{2}$/;
const TEMPORARY = /^([0-9a-f]{8})-(\d+)-[0-9a-f]{12}$/;
/** Age from which a file of another machine's process, which cannot be asked, is left over. */
const LEFT_OVER_MS = 3_600_000;

const THIS_HOST = createHash('sha256').update(hostname()).digest('hex').slice(0, 8);

export interface EntryFile {
  readonly path: string;
  readonly bytes: number;
  /** Time of the last use, in milliseconds since 1970. */
  readonly usedAt: number;
}

export function entryPath(dir: string, key: Buffer): string {
  const name = key.toString('hex');
  return join(dir, name.slice(0, 2), name + SUFFIX);
}

export function writingFolder(dir: string): string {
  return join(dir, 'writing');
}

/** A name under which an entry can be written, unlike that of any other process. */
export function temporaryPath(dir: string): string {
  return join(writingFolder(dir), `${THIS_HOST}-${process.pid}-${randomBytes(6).toString('hex')}`);
}

/** All entries, in no order. */
export async function listEntries(dir: string): Promise<EntryFile[]> {
  const found: EntryFile[] = [];
  for (const shelf of await namesIn(dir, SHELF)) found.push(...(await filesIn(join(dir, shelf), ENTRY)));
  return found;
}

/** Removes what ended processes were writing; bytes of what others are writing now. */
export async function sweepWriting(dir: string): Promise<number> {
  let bytes = 0;
  for (const file of await filesIn(writingFolder(dir), TEMPORARY)) {
    if (isLeftOver(file)) await rm(file.path, { force: true });
    else bytes += file.bytes;
  }
  return bytes;
}

function isLeftOver({ path, usedAt }: EntryFile): boolean {
  const [, host, id] = TEMPORARY.exec(basename(path)) ?? [];
  if (host !== THIS_HOST) return Date.now() - usedAt > LEFT_OVER_MS;
  // In a container every process may have the same number: then what is older than this one is of an earlier one.
  const pid = Number(id);
  return pid === process.pid ? usedAt < Date.now() - 1000 * process.uptime() : !isRunning(pid);
}

async function namesIn(folder: string, form: RegExp): Promise<string[]> {
  const names = (await unlessGone(readdir(folder))) ?? [];
  return names.filter((name) => form.test(name));
}

async function filesIn(folder: string, form: RegExp): Promise<EntryFile[]> {
  const found = (await namesIn(folder, form)).map(async (name) => {
    const path = join(folder, name);
    const file = await unlessGone(stat(path));
    return file === null ? [] : [{ path, bytes: file.size, usedAt: file.mtimeMs }];
  });
  return (await Promise.all(found)).flat();
}

/** null where a file is absent, or was removed meanwhile. */
export async function unlessGone<T>(result: Promise<T>): Promise<T | null> {
  try {
    return await result;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

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
