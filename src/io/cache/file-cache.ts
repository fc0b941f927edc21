/**
 * A cache on disk: content under 32-byte keys, in a folder of bounded size that any number of processes share.
 *
 * - An entry is written under a temporary name, synced and renamed, so a kill -9 at any moment leaves a whole entry or
 *   none; what it leaves of the temporary file is removed by whoever opens or measures the cache next.
 * - An entry is checked whenever it is read. A damaged one is deleted and counts as not there.
 * - No locks. Each process measures the folder after it has written 1/128 of the bound and makes room from 15/16 of it
 *   down to 7/8, so that up to eight processes stay within the bound. An entry that is larger than this 1/128 is counted
 *   once more between writing and renaming: whoever of several comes last sees the others' and gives way.
 * - Room is made from the entries that were used least recently, but never from those used since the cache was opened:
 *   epochs use every image once, and pushing out one to be used soon for another gains nothing. (With room for half of
 *   the images and an order drawn anew in every epoch, the least recently used rule alone would find 15 % of them, this
 *   one finds 50 %.) Where nothing older is left, a new entry is not kept.
 *
 * Nothing here makes a training run fail once the folder could be opened: what cannot be read or written is counted,
 * and the first such thing is reported.
 */
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { UserError, messageOf } from '../../errors.js';
import { bytesText } from '../../machine.js';
import { DamagedEntry, HEADER_BYTES, KEY_BYTES, MOST_CONTENT_BYTES, entryHeader, readEntry } from './cache-entry.js';
import { entryPath, isGone, listEntries, sweepWriting, temporaryPath, writingFolder } from './cache-folder.js';

const MEASURE_AFTER = 1 / 128;
const FULL = 15 / 16;
const ENOUGH_ROOM = 7 / 8;
/** Where there was no room, another look is taken after this time: other processes may have made some. */
const LOOK_AGAIN_MS = 60_000;
/** The clock of files may be behind by so much. */
const CLOCK_STEP_MS = 20;

export interface FileCacheOptions {
  /** Bytes that the folder may have. */
  readonly maxBytes: number;
  /** Told once of each kind of trouble. */
  readonly onTrouble?: (message: string) => void;
}

/** What happened since the cache was opened, by this process. */
export interface FileCacheStats {
  /** Entries found, and asked for in vain. */
  readonly hits: number;
  readonly misses: number;
  /** Entries that failed their check and were deleted; each is a miss, too. */
  readonly damaged: number;
  readonly written: number;
  /** Entries not kept because everything there had been used since the cache was opened. */
  readonly refused: number;
  readonly evicted: number;
  /** Reads and writes that the system refused (no space, no permission). */
  readonly failures: number;
  readonly bytesRead: number;
  readonly bytesWritten: number;
}

export class FileCache {
  private readonly counts = {
    hits: 0,
    misses: 0,
    damaged: 0,
    written: 0,
    refused: 0,
    evicted: 0,
    failures: 0,
    bytesRead: 0,
    bytesWritten: 0,
  };
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

  /**
   * Opens the cache in a folder, which is made where it is missing.
   * @throws UserError when the folder cannot be used or the bound is no size
   */
  static async open(dir: string, options: FileCacheOptions): Promise<FileCache> {
    if (!(options.maxBytes > 0)) {
      throw new UserError(`Opening the cache ${dir}: its size must be above 0 bytes, found ${options.maxBytes}.`);
    }
    try {
      await mkdir(writingFolder(dir), { recursive: true });
      await sweepWriting(dir);
    } catch (error) {
      throw new UserError(`Cannot use ${dir} as a cache: ${messageOf(error)}. Name a folder that can be written.`);
    }
    return new FileCache(dir, options, Date.now());
  }

  get stats(): FileCacheStats {
    return { ...this.counts };
  }

  /** The content of an entry, checked, or null where there is none. */
  async get(key: Buffer): Promise<Uint8Array | null> {
    const path = entryPath(this.dir, checked(key));
    try {
      const content = await readEntry(path, key);
      this.counts.hits++;
      this.counts.bytesRead += content.byteLength;
      return content;
    } catch (error) {
      this.counts.misses++;
      if (error instanceof DamagedEntry) await this.discard(path, error);
      else if (!isGone(error)) this.fail('read from', error);
      return null;
    }
  }

  /** Keeps an entry, if there is room; settles when it is on disk, or is known not to be kept. */
  async put(key: Buffer, content: readonly Uint8Array[]): Promise<void> {
    const header = entryHeader(checked(key), content);
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
      await writeSynced(temporary, pieces);
      if (bytes > MEASURE_AFTER * this.options.maxBytes && !(await this.isWithinBound())) {
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

  /** Whether all that is there and all that is being written, by whomever, stays within the bound together. */
  private async isWithinBound(): Promise<boolean> {
    const underWay = await sweepWriting(this.dir);
    const entries = await listEntries(this.dir);
    return entries.reduce((sum, entry) => sum + entry.bytes, underWay) <= this.options.maxBytes;
  }

  private fits(bytes: number): boolean {
    return this.measured + this.writtenSince + bytes <= FULL * this.options.maxBytes;
  }

  private async measure(bytes: number): Promise<void> {
    const underWay = await sweepWriting(this.dir);
    const entries = await listEntries(this.dir);
    this.measured = entries.reduce((sum, entry) => sum + entry.bytes, underWay);
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
    this.counts.damaged++;
    this.report(
      'damaged',
      `In the cache ${this.dir} an entry is damaged: ${why.message} (${path}). It is deleted and made again; further ` +
        'ones are only counted. If there are many, check the disk.',
    );
    try {
      await rm(path, { force: true });
    } catch (error) {
      this.fail('delete from', error);
    }
  }

  private fail(doing: string, error: unknown): void {
    this.counts.failures++;
    this.report(
      doing,
      `Could not ${doing} the cache ${this.dir}: ${messageOf(error)}. Work goes on without it; check permissions and ` +
        `space (the cache may have ${bytesText(this.options.maxBytes)}).`,
    );
  }

  private report(kind: string, message: string): void {
    if (this.reported.has(kind)) return;
    this.reported.add(kind);
    this.options.onTrouble?.(message);
  }
}

function checked(key: Buffer): Buffer {
  if (key.length !== KEY_BYTES) throw new Error(`FileCache: a key of ${key.length} bytes`);
  return key;
}

async function writeSynced(path: string, pieces: readonly Uint8Array[]): Promise<void> {
  const file = await open(path, 'wx');
  try {
    for (const piece of pieces) await file.writeFile(piece);
    await file.sync();
  } finally {
    await file.close();
  }
}
