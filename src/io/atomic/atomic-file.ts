/**
 * Files and folders that are either there completely or not at all, also after a crash or a power cut.
 *
 * A file is written to a temporary sibling, synced and renamed: rename(2) replaces the old file in one step.
 * A folder cannot be replaced in one step by portable means, so three sibling names mark where a replacement stood:
 *
 *     .NAME.tmp-PID-X   being built; worthless after a crash
 *     .NAME.new-PID-X   complete and synced, about to take its place
 *     .NAME.old-PID-X   the previous folder, moved aside
 *
 * The order is tmp → new, NAME → old, new → NAME, delete old. Between the second and third step NAME is missing for
 * an instant, but both the old and the new content are on disk under names that `recoverDirectory` recognises: it
 * finishes the replacement. Leftovers count as such when their process is gone (same machine assumed).
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { UserError, messageOf } from '../../errors.js';

/** Some systems write at most 2 GiB at a time. */
const LARGEST_WRITE = 2 ** 30;
const LEFTOVER = /^\.(.+)\.(tmp|new|old)-(\d+)-([0-9a-f]{8})$/s;

/** Temporary paths in use by this process. */
const inUse = new Set<string>();
/** Folders that this process has already searched for leftovers of files. */
const swept = new Set<string>();

/** Content of a file: a text, bytes, or pieces made one after another (so that memory stays small). */
export type FileContent = string | Uint8Array | Iterable<Uint8Array>;

/** No bytes: given after a large piece, it replaces that one, whose memory is then free for the next. */
export const LET_GO = new Uint8Array(0);

/**
 * Writes a file so that `path` holds either its old content or all of the new one. Missing folders are made.
 * @throws UserError when it cannot be written; the temporary file is removed and `path` unchanged. Errors of the
 *   content's own iterator that are not the system's pass unchanged, after the same cleaning up.
 */
export function writeFileAtomic(path: string, content: FileContent): void {
  const final = resolve(path);
  explained(`write ${path}`, () => {
    mkdirSync(dirname(final), { recursive: true });
    sweepFiles(dirname(final));
  });
  const temporary = siblingName(final, 'tmp');
  inUse.add(temporary);
  try {
    explained(`write ${path}`, () => {
      writeSynced(temporary, pieces(content));
      renameSync(temporary, final);
      syncPath(dirname(final));
    });
  } finally {
    rmSync(temporary, { force: true });
    inUse.delete(temporary);
  }
}

/** A new file, which is on the disk when this returns. */
export function writeSynced(path: string, content: Iterable<Uint8Array>): void {
  const file = openSync(path, 'wx');
  try {
    for (const piece of content) {
      for (let at = 0; at < piece.byteLength;) {
        at += writeSync(file, piece, at, Math.min(LARGEST_WRITE, piece.byteLength - at));
      }
    }
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** A folder under construction next to its final place. */
export interface StagedDirectory {
  readonly final: string;
  readonly path: string;
}

/**
 * Builds a folder under a temporary name with `build`, then puts it at `finalDir`, replacing an older one.
 * @throws errors of `build`, or UserError; the temporary folder is removed and `finalDir` unchanged
 */
export async function writeDirectoryAtomic(finalDir: string, build: (temporaryDir: string) => Promise<void>) {
  const staged = stageDirectory(finalDir);
  try {
    await build(staged.path);
    publishDirectory(staged);
  } finally {
    releaseDirectory(staged);
  }
}

/**
 * Makes an empty folder to be filled and published, after recovery from an earlier crash. Its names count as in use
 * until `releaseDirectory`, which is to be called in any case.
 */
export function stageDirectory(finalDir: string): StagedDirectory {
  const final = resolve(finalDir);
  const staged = { final, path: siblingName(final, 'tmp') };
  for (const path of namesOf(staged)) inUse.add(path);
  try {
    explained(`write the folder ${finalDir}`, () => {
      mkdirSync(dirname(final), { recursive: true });
      recoverDirectory(final);
      mkdirSync(staged.path);
    });
    return staged;
  } catch (error) {
    releaseDirectory(staged);
    throw error;
  }
}

/** Puts a staged folder in its place; any thread may do so. */
export function publishDirectory(staged: StagedDirectory): void {
  const { final } = staged;
  const [temporary, complete, previous] = namesOf(staged);
  explained(`write the folder ${final}`, () => {
    syncTree(temporary);
    renameSync(temporary, complete);
    swapIn(complete, final, previous);
    rmSync(previous, { recursive: true, force: true });
  });
}

/** Removes the remains of a staged folder, published or not. */
export function releaseDirectory(staged: StagedDirectory): void {
  const [temporary, complete, previous] = namesOf(staged);
  rmSync(temporary, { recursive: true, force: true });
  if (existsSync(staged.final)) {
    rmSync(complete, { recursive: true, force: true });
    rmSync(previous, { recursive: true, force: true });
  }
  for (const path of namesOf(staged)) inUse.delete(path);
}

/** Removes a folder so that a crash leaves no part of it under its name. */
export function removeDirectory(dir: string): void {
  const path = resolve(dir);
  explained(`remove the folder ${dir}`, () => {
    const worthless = siblingName(path, 'tmp');
    renameSync(path, worthless);
    rmSync(worthless, { recursive: true, force: true });
  });
}

function namesOf({ path }: StagedDirectory): [temporary: string, complete: string, previous: string] {
  const renamed = (kind: string): string => path.replace(/\.tmp-([^.]*)$/, `.${kind}-$1`);
  return [path, renamed('new'), renamed('old')];
}

/** Moves `previous` aside and `complete` into its place; restores the old one when the second rename fails. */
function swapIn(complete: string, final: string, previous: string): void {
  const replaces = existsSync(final);
  if (replaces) renameSync(final, previous);
  try {
    renameSync(complete, final);
  } catch (error) {
    if (replaces) renameSync(previous, final);
    throw error;
  }
  syncPath(dirname(final));
}

/**
 * Completes an interrupted replacement: when `finalDir` is missing, a complete new folder, else the previous one, takes
 * its place; other leftovers of it are deleted. Cheap; call it before reading a folder written by
 * `writeDirectoryAtomic`. Names in use by a living process are left alone.
 */
export function recoverDirectory(finalDir: string): void {
  const final = resolve(finalDir);
  const folder = dirname(final);
  if (!existsSync(folder)) return;
  const left = leftovers(folder).filter((entry) => entry.name === basename(final));
  for (const kind of ['new', 'old']) {
    const candidate = left.find((entry) => entry.kind === kind);
    if (candidate !== undefined && !existsSync(final)) {
      renameSync(candidate.path, final);
      syncPath(folder);
    }
  }
  for (const entry of left) rmSync(entry.path, { recursive: true, force: true });
}

/** `recoverDirectory` for all folders within `parent` with leftovers and an accepted name. */
export function recoverDirectories(parent: string, accepts: (name: string) => boolean): void {
  if (!existsSync(parent)) return;
  const names = new Set(leftovers(parent).flatMap(({ name, isDirectory }) => (isDirectory ? [name] : [])));
  for (const name of names) if (accepts(name)) recoverDirectory(join(parent, name));
}

/** Removes half-written files of a crashed process; once per folder and process. */
function sweepFiles(folder: string): void {
  if (swept.has(folder)) return;
  swept.add(folder);
  for (const entry of leftovers(folder)) {
    if (entry.kind === 'tmp' && !entry.isDirectory) rmSync(entry.path, { force: true });
  }
}

function leftovers(folder: string): { path: string; name: string; kind: string; isDirectory: boolean }[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const [, name = '', kind = '', pid] = LEFTOVER.exec(entry.name) ?? [];
    const path = join(folder, entry.name);
    const isOurs = pid !== undefined && !inUse.has(path) && (Number(pid) === process.pid || !isRunning(Number(pid)));
    return isOurs ? [{ path, name, kind, isDirectory: entry.isDirectory() }] : [];
  });
}

export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Not permitted to signal it means that it exists.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

function siblingName(path: string, kind: string): string {
  return join(dirname(path), `.${basename(path)}.${kind}-${process.pid}-${randomBytes(4).toString('hex')}`);
}

function pieces(content: FileContent): Iterable<Uint8Array> {
  if (typeof content === 'string') return [Buffer.from(content, 'utf8')];
  return content instanceof Uint8Array ? [content] : content;
}

/** Makes the content of a file, or the names in a folder, survive a power cut. Windows cannot sync folders. */
function syncPath(path: string): void {
  if (process.platform === 'win32') return;
  const handle = openSync(path, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function syncTree(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) syncTree(path);
    else if (entry.isFile()) syncPath(path);
  }
  syncPath(folder);
}

/** Runs one step of file work; an error of the system names the work. */
function explained<T>(doing: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    if (error instanceof UserError || (error as NodeJS.ErrnoException).code === undefined) throw error;
    throw new UserError(`Could not ${doing}: ${messageOf(error)}. Check the path, its permissions and the free space.`);
  }
}
