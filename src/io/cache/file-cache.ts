/**
 * A cache on disk: content under 32-byte keys, in a folder of bounded size that any number of processes share.
 *
 * - An entry is written under a temporary name, synced and renamed, so a kill -9 at any moment leaves a whole entry or
 *   none; what it leaves of the temporary file is removed by whoever opens or measures the cache next.
 * - An entry is checked whenever it is read. A damaged one is deleted and counts as a miss.
 * - No locks. Each process measures the folder after it has written 1/128 of the bound and makes room from 15/16 of it
 *   down to 7/8, so that up to eight processes stay within the bound. An entry that is larger than this 1/128 is counted
 *   once more between writing and renaming: whoever of several comes last sees the others' and gives way.
 * - Room is made from the entries that were used least recently, but never from those used since the cache was opened:
 *   epochs use every image once, and pushing out one to be used soon for another gains nothing. (With room for half of
 *   the images and a new order in every epoch, the least recently used rule alone would find 15 % of them, this one
 *   finds 50 %.) Where nothing older is left, a new entry is not kept.
 *
 * Nothing here makes a training run fail once the folder could be opened: what cannot be read or written is counted,
 * and the first such thing is reported.
 */
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { UserError, messageOf } from '../../errors.js';
import { bytesText } from '../../machine.js';
import { writeFileAtomic } from '../atomic/atomic-file.js';
import {
  DamagedEntry,
  type EntryFile,
  entryHeader,
  entryPath,
  HEADER_BYTES,
  listEntries,
  MOST_CONTENT_BYTES,
  readEntry,
  sweepWriting,
  temporaryPath,
  unlessGone,
  writingFolder,
} from './cache-folder.js';

const MEASURE_AFTER = 1 / 128;
const FULL = 15 / 16;
const ENOUGH_ROOM = 7 / 8;
/** Where there was no room, another look is taken after this time: other processes may have made some. */
const LOOK_AGAIN_MS = 60_000;
/** Lag of the clock of files. */
const CLOCK_STEP_MS = 20;

export interface FileCacheOptions {
  /** Bytes that the folder may have. */
  readonly maxBytes: number;
  /** Kind of the entries, in words: a folder of another kind is refused. */
  readonly kind: string;
  /** Called once for each kind of trouble. */
  readonly onTrouble?: (message: string) => void;
}

const NO_COUNTS = {
  /** Entries found, and asked for in vain. */
  hits: 0,
  misses: 0,
  /** Entries that failed their check and were deleted; each is a miss, too. */
  damaged: 0,
  written: 0,
  /** Entries not kept because all others had been used since the cache was opened. */
  refused: 0,
  evicted: 0,
  /** Reads and writes that the system refused (no space, no permission). */
  failures: 0,
  bytesRead: 0,
  bytesWritten: 0,
};
/** Counts of this process since the cache was opened. */
export type FileCacheStats = Readonly<typeof NO_COUNTS>;

export class FileCache {
  private readonly counts = { ...NO_COUNTS };
  private readonly reported = new Set<string>();
  /** Bytes in the folder when it was last measured, and those written here since. */
  private measured = 0;
  private writtenSince = Infinity;
  private fullUntil = 0;
  /** Entries are written one after the other: the end of the last one. */
  private writing: Promise<void> = Promise.resolve();

  private constructor(
    readonly dir: string,
    private readonly options: FileCacheOptions,
    private readonly openedAt: number,
  ) {}

  /** @throws UserError when the folder cannot be used or is of another kind, or the bound is no size */
  static async open(dir: string, options: FileCacheOptions): Promise<FileCache> {
    if (!(options.maxBytes > 0)) {
      throw new UserError(`Opening the cache ${dir}: its size must be above 0 bytes, found ${options.maxBytes}.`);
    }
    try {
      await mkdir(writingFolder(dir), { recursive: true });
      await claim(dir, options.kind);
      await sweepWriting(dir);
    } catch (error) {
      if (error instanceof UserError) throw error;
      throw new UserError(`Cannot use ${dir} as a cache: ${messageOf(error)}. Name a folder that can be written.`);
    }
    return new FileCache(dir, options, Date.now());
  }

  get stats(): FileCacheStats {
    return { ...this.counts };
  }

  /** The content of an entry, checked, or null where there is none. */
  async get(key: Buffer): Promise<Uint8Array | null> {
    const path = entryPath(this.dir, key);
    try {
      const content = await unlessGone(readEntry(path, key));
      this.counts[content === null ? 'misses' : 'hits']++;
      this.counts.bytesRead += content?.byteLength ?? 0;
      return content;
    } catch (error) {
      this.counts.misses++;
      if (error instanceof DamagedEntry) await this.discard(path, error);
      else this.fail('read from', error);
      return null;
    }
  }

  /** Keeps an entry, if there is room; settles when it is on disk, or is known not to be kept. */
  async put(key: Buffer, content: readonly Uint8Array[]): Promise<void> {
    const header = entryHeader(key, content);
    const bytes = HEADER_BYTES + header.readUInt32LE(12);
    if (bytes - HEADER_BYTES > MOST_CONTENT_BYTES) throw new Error(`FileCache: an entry of ${bytes} bytes`);
    const turn = this.writing.then(() => this.write(key, [header, ...content], bytes));
    this.writing = turn;
    return turn;
  }

  private async write(key: Buffer, pieces: readonly Uint8Array[], bytes: number): Promise<void> {
    const temporary = temporaryPath(this.dir);
    try {
      if (!(await this.makeRoom(bytes))) {
        this.counts.refused++;
        return;
      }
      const path = entryPath(this.dir, key);
      await writeFile(temporary, pieces, { flag: 'wx', flush: true });
      if (bytes > MEASURE_AFTER * this.options.maxBytes && (await this.list()).bytes > this.options.maxBytes) {
        await rm(temporary, { force: true });
        this.counts.refused++;
        return;
      }
      await mkdir(dirname(path), { recursive: true });
      await rename(temporary, path);
      this.counts.written++;
      this.counts.bytesWritten += bytes;
      this.writtenSince += bytes;
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => undefined);
      this.fail('write to', error);
    }
  }

  /** Whether `bytes` more fit, after what can go has gone where they did not. */
  private async makeRoom(bytes: number): Promise<boolean> {
    const { maxBytes } = this.options;
    if (Date.now() < this.fullUntil) return false;
    if (this.writtenSince + bytes > MEASURE_AFTER * maxBytes || !this.fits(bytes)) await this.measure(bytes);
    if (this.fits(bytes)) return true;
    this.fullUntil = Date.now() + LOOK_AGAIN_MS;
    return false;
  }

  /** Entries, and bytes of all that is or is being written, by whichever process. */
  private async list(): Promise<{ readonly entries: EntryFile[]; readonly bytes: number }> {
    const underWay = await sweepWriting(this.dir);
    const entries = await listEntries(this.dir);
    return { entries, bytes: entries.reduce((sum, entry) => sum + entry.bytes, underWay) };
  }

  private fits(bytes: number): boolean {
    return this.measured + this.writtenSince + bytes <= FULL * this.options.maxBytes;
  }

  private async measure(bytes: number): Promise<void> {
    const { entries, bytes: all } = await this.list();
    this.measured = all;
    this.writtenSince = 0;
    if (this.fits(bytes)) return;
    const old = entries
      .filter(({ usedAt }) => usedAt < this.openedAt - CLOCK_STEP_MS)
      .sort((a, b) => a.usedAt - b.usedAt);
    for (const entry of old) {
      if (this.measured + bytes <= ENOUGH_ROOM * this.options.maxBytes) return;
      await rm(entry.path, { force: true });
      this.measured -= entry.bytes;
      this.counts.evicted++;
    }
  }

  private async discard(path: string, why: DamagedEntry): Promise<void> {
    this.count(
      'damaged',
      `In the cache ${this.dir} an entry is damaged: ${why.message} (${path}). It is deleted and recomputed; further ` +
        'ones are only counted. If there are many, check the disk.',
    );
    await rm(path, { force: true }).catch((error: unknown) => {
      this.fail('delete from', error);
    });
  }

  private fail(doing: string, error: unknown): void {
    this.count(
      'failures',
      `Could not ${doing} the cache ${this.dir}: ${messageOf(error)}. Work goes on without it; check permissions and ` +
        `space (the cache may have ${bytesText(this.options.maxBytes)}).`,
      doing,
    );
  }

  /** Counts a trouble, and reports the first of each kind. */
  private count(what: 'damaged' | 'failures', message: string, kind: string = what): void {
    this.counts[what]++;
    if (!this.reported.has(kind)) this.options.onTrouble?.(message);
    this.reported.add(kind);
  }
}

/** Marks a folder without entries as one of this kind. @throws UserError where it has others; nothing is deleted */
async function claim(dir: string, kind: string): Promise<void> {
  const file = join(dir, 'kind');
  const found = await unlessGone(readFile(file, 'utf8'));
  if (found === kind) return;
  if ((await listEntries(dir)).length > 0) {
    throw new UserError(
      `${dir} is a cache of an older kind (${found ?? 'without a name'}), which cannot be read as "${kind}": delete the ` +
        'folder, or name another one.',
    );
  }
  writeFileAtomic(file, kind);
}
