/**
 * The folder of a `FileCache`, as several processes see it at once: which entries it has, and what ended processes left
 * behind. Anything may vanish between two looks, because another process makes room; that is never an error here.
 *
 *     ab/abcd….entry          an entry: 64 hexadecimal digits, in the folder of the first two
 *     writing/HOST-PID-X      an entry that a process is writing now
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
const WRITING = 'writing';
const TEMPORARY = /^([0-9a-f]{8})-(\d+)-[0-9a-f]{12}$/;
/** What a process of another machine, which cannot be asked, has not touched for so long is left over. */
const LEFT_OVER_MS = 3_600_000;
/** Files looked at in one go. */
const AT_ONCE = 64;

const THIS_HOST = createHash('sha256').update(hostname()).digest('hex').slice(0, 8);

export interface EntryFile {
  readonly path: string;
  readonly bytes: number;
  /** When it was last used, in milliseconds since 1970. */
  readonly usedAt: number;
}

export function entryPath(dir: string, key: Buffer): string {
  const name = key.toString('hex');
  return join(dir, name.slice(0, 2), name + SUFFIX);
}

export function writingFolder(dir: string): string {
  return join(dir, WRITING);
}

/** A name under which an entry can be written, unlike that of any other process. */
export function temporaryPath(dir: string): string {
  return join(dir, WRITING, `${THIS_HOST}-${process.pid}-${randomBytes(6).toString('hex')}`);
}

/** All entries there are, in no order. */
export async function listEntries(dir: string): Promise<EntryFile[]> {
  const found: EntryFile[] = [];
  for (const shelf of await namesIn(dir, SHELF)) {
    found.push(...(await filesOf(join(dir, shelf), await namesIn(join(dir, shelf), ENTRY))));
  }
  return found;
}

/** Removes what ended processes were writing; bytes of what others are writing now. */
export async function sweepWriting(dir: string): Promise<number> {
  const folder = writingFolder(dir);
  let bytes = 0;
  for (const file of await filesOf(folder, await namesIn(folder, TEMPORARY))) {
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
  try {
    return (await readdir(folder)).filter((name) => form.test(name));
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

async function filesOf(folder: string, names: readonly string[]): Promise<EntryFile[]> {
  const found: EntryFile[] = [];
  for (let first = 0; first < names.length; first += AT_ONCE) {
    const some = names.slice(first, first + AT_ONCE).map((name) => fileAt(join(folder, name)));
    for (const file of await Promise.all(some)) if (file !== null) found.push(file);
  }
  return found;
}

async function fileAt(path: string): Promise<EntryFile | null> {
  try {
    const { size, mtimeMs } = await stat(path);
    return { path, bytes: size, usedAt: mtimeMs };
  } catch (error) {
    if (isGone(error)) return null;
    throw error;
  }
}

/** Whether a file was not there (any more). */
export function isGone(error: unknown): boolean {
  return codeOf(error) === 'ENOENT';
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : null;
}
