/**
 * The folder of a `FileCache`, as several processes see it at once: which entries it has, and what ended processes left
 * behind. Anything may vanish between two looks, because another process makes room; that is never an error here.
 *
 *     ab/abcd….entry          an entry: 64 hexadecimal digits, in the folder of the first two
 *     writing/HOST-PID-X      an entry that a process is writing now
 *     kind                    what the entries are, in words
 *
 * Names of any other form are not ours and are left alone.
 */
import { createHash, randomBytes } from 'node:crypto';
import { readdir, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, join } from 'node:path';
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
