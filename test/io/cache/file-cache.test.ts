/** The cache gives back what was put in or nothing, stays within its bound, and survives damage, crashes, company. */
import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { UserError } from '../../../src/errors.js';
import {
  entryPath,
  HEADER_BYTES,
  listEntries,
  temporaryPath,
  writingFolder,
} from '../../../src/io/cache/cache-folder.js';
import { FileCache } from '../../../src/io/cache/file-cache.js';
import { Random } from '../../../src/random.js';
import { contentOf, keyOf } from '../../helpers/cache-content.js';
import type { CacheProcessResult } from '../../helpers/cache-process.js';

let dir = '';
let troubles: string[] = [];

beforeEach(() => {
  dir = join(mkdtempSync(join(tmpdir(), 'gsva-cache-')), 'cache');
  troubles = [];
});
afterEach(() => {
  rmSync(dirname(dir), { recursive: true });
});

const openCache = (maxBytes = 1e9): Promise<FileCache> =>
  FileCache.open(dir, { maxBytes, kind: 'test', onTrouble: (message) => troubles.push(message) });

const sizeOf = async (): Promise<number> => (await listEntries(dir)).reduce((sum, { bytes }) => sum + bytes, 0);

/** As if the entry had been used so many minutes ago. */
function age(index: number, minutes: number): void {
  const then = Date.now() / 1000 - 60 * minutes;
  utimesSync(entryPath(dir, keyOf(index)), then, then);
}

async function indicesThere(upTo: number): Promise<number[]> {
  const paths = new Set((await listEntries(dir)).map(({ path }) => path));
  return Array.from({ length: upTo }, (_, i) => i).filter((i) => paths.has(entryPath(dir, keyOf(i))));
}

describe('FileCache', () => {
  test('gives back any content in any number of pieces, in another instance too; other keys are not there', async () => {
    const cache = await openCache();
    let index = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 3000 }), { maxLength: 4 }), async (pieces) => {
        index++;
        await cache.put(keyOf(index), pieces);
        const expected = Buffer.concat(pieces);
        for (const reader of [cache, await openCache()]) {
          expect(Buffer.compare((await reader.get(keyOf(index))) ?? Buffer.from('none'), expected)).toBe(0);
        }
        expect(await cache.get(keyOf(-index))).toBeNull();
      }),
      { seed: 1, numRuns: 60 },
    );
    expect(cache.stats).toMatchObject({ hits: 60, misses: 60, written: 60, damaged: 0, failures: 0, evicted: 0 });
    expect(await sizeOf()).toBe(cache.stats.bytesWritten);
    expect(readdirSync(writingFolder(dir))).toEqual([]);
    expect(troubles).toEqual([]);
  });

  test('a second put replaces the first; puts at the same time all arrive', async () => {
    const cache = await openCache();
    await Promise.all([0, 1, 2, 3].map((i) => cache.put(keyOf(i), [contentOf(i)])));
    await cache.put(keyOf(0), [contentOf(9)]);
    expect(await cache.get(keyOf(0))).toEqual(contentOf(9));
    expect(await cache.get(keyOf(3))).toEqual(contentOf(3));
  });

  test('a folder that cannot be used, or a bound that is no size, is a UserError', async () => {
    writeFileSync(dir, '');
    await expect(openCache()).rejects.toThrow(UserError);
    await expect(openCache()).rejects.toThrow(dir);
    for (const maxBytes of [0, -1, NaN]) await expect(openCache(maxBytes)).rejects.toThrow(UserError);
  });

  test('a folder that vanishes costs entries, not the run; it is reported once', async () => {
    const cache = await openCache();
    rmSync(dir, { recursive: true });
    for (const i of [1, 2, 3]) await cache.put(keyOf(i), [contentOf(i)]);
    expect(await cache.get(keyOf(1))).toBeNull();
    expect(cache.stats).toMatchObject({ failures: 3, written: 0 });
    expect(troubles).toHaveLength(1);
    expect(troubles[0]).toContain(dir);
  });
});

describe('a damaged entry', () => {
  test('is never given back, whatever single bit is turned or wherever it is cut; it is deleted and counted', async () => {
    const cache = await openCache();
    const random = new Random(2);
    const path = entryPath(dir, keyOf(1));
    await cache.put(keyOf(1), [contentOf(1)]);
    const whole = readFileSync(path);
    const headerBits = Array.from({ length: 8 * HEADER_BYTES }, (_, bit) => bit);
    const contentBits = Array.from({ length: 200 }, () => random.integer(8 * whole.length));
    const turned = [...headerBits, ...contentBits].map((bit) => {
      const bytes = Buffer.from(whole);
      bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
      return bytes;
    });
    const cuts = [0, 1, HEADER_BYTES - 1, HEADER_BYTES, whole.length - 1];
    const cut = [...cuts, ...Array.from({ length: 40 }, () => random.integer(whole.length))];
    const longer = [1, 7, 4096].map((bytes) => Buffer.concat([whole, Buffer.alloc(bytes)]));
    const wrong = [...turned, ...cut.map((length) => whole.subarray(0, length)), ...longer];
    for (const bytes of wrong) {
      writeFileSync(path, bytes);
      expect(await cache.get(keyOf(1))).toBeNull();
      expect(existsSync(path)).toBe(false);
    }
    expect(cache.stats).toMatchObject({ hits: 0, misses: wrong.length, damaged: wrong.length, failures: 0 });
    expect(troubles).toHaveLength(1);
    expect(troubles[0]).toContain(dir);
    await cache.put(keyOf(1), [contentOf(1)]);
    expect(await cache.get(keyOf(1))).toEqual(contentOf(1));
  });

  test('is also the entry of another key under this name', async () => {
    const cache = await openCache();
    await cache.put(keyOf(1), [contentOf(1)]);
    await cache.put(keyOf(2), [contentOf(2)]);
    writeFileSync(entryPath(dir, keyOf(1)), readFileSync(entryPath(dir, keyOf(2))));
    expect(await cache.get(keyOf(1))).toBeNull();
    expect(troubles[0]).toContain('another key');
    expect(await cache.get(keyOf(2))).toEqual(contentOf(2));
  });
});

describe('room', () => {
  const CONTENT = new Uint8Array(10_000 - HEADER_BYTES);

  test('is made from the entries used least recently, a read being a use', async () => {
    const first = await openCache(200_000);
    for (let i = 0; i < 18; i++) await first.put(keyOf(i), [CONTENT]);
    for (let i = 0; i < 18; i++) age(i, 100 - i);
    age(3, 1);
    await (await openCache(200_000)).get(keyOf(0));
    const cache = await openCache(200_000);
    await cache.put(keyOf(18), [CONTENT]);
    // 187,500 bytes are full, 175,000 leave room enough: of 18 entries 16 stay beside the new one.
    expect(await indicesThere(19)).toEqual(
      [0, 3, ...Array.from({ length: 15 }, (_, i) => i + 4)].sort((a, b) => a - b),
    );
    expect(cache.stats).toMatchObject({ evicted: 2, written: 1, refused: 0 });
  });

  test('is not made from what was used since the cache was opened: a new entry is refused then', async () => {
    const cache = await openCache(100_000);
    for (let i = 0; i < 20; i++) await cache.put(keyOf(i), [CONTENT]);
    expect(await indicesThere(20)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(cache.stats).toMatchObject({ written: 9, refused: 11, evicted: 0, failures: 0 });
    expect(troubles).toEqual([]);
  });

  test('is never made for more than the bound', async () => {
    const cache = await openCache(5000);
    await cache.put(keyOf(0), [CONTENT]);
    expect(await sizeOf()).toBe(0);
    expect(cache.stats).toMatchObject({ written: 0, refused: 1 });
  });

  test('stays within the bound for random sizes and ages, and leaves files of other names alone', async () => {
    const random = new Random(3);
    const stranger = join(dir, 'ab', 'notes.txt');
    mkdirSync(dirname(stranger), { recursive: true });
    writeFileSync(stranger, 'mine');
    for (let round = 0; round < 6; round++) {
      const cache = await openCache(300_000);
      for (let i = 0; i < 20; i++) {
        await cache.put(keyOf(20 * round + i), [contentOf(20 * round + i)]);
        expect(await sizeOf()).toBeLessThanOrEqual(300_000);
      }
      for (const i of await indicesThere(20 * round + 20)) age(i, 1 + random.integer(100));
    }
    expect(await sizeOf()).toBeGreaterThan(150_000);
    expect(readFileSync(stranger, 'utf8')).toBe('mine');
  });
});

describe('processes', () => {
  const start = (...args: (string | number)[]): ChildProcessByStdio<null, Readable, null> => {
    const program = resolve('test', 'helpers', 'cache-process.cjs');
    return spawn(process.execPath, [program, ...args.map(String)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
  };

  test('what ended processes were writing is removed, what living ones write is kept', async () => {
    await openCache();
    const gone = spawnSync(process.execPath, ['-e', '0']).pid;
    const own = temporaryPath(dir);
    const nameWith = (pid: number): string => own.replace(`-${process.pid}-`, `-${pid}-`);
    const ofOtherHost = (digit: string): string => join(dirname(own), `0000000${digit}-1-0123456789ab`);
    const left = [nameWith(gone), ofOtherHost('0'), temporaryPath(dir)];
    const kept = [nameWith(process.ppid), ofOtherHost('1'), own, join(dirname(own), 'notes')];
    for (const path of [...left, ...kept]) writeFileSync(path, 'half');
    // From before this process began, or untouched for hours.
    for (const path of left.slice(1)) utimesSync(path, 1e9, 1e9);
    await openCache();
    expect(
      readdirSync(dirname(own))
        .map((name) => join(dirname(own), name))
        .sort(),
    ).toEqual(kept.sort());
  });

  test('killed at any moment leave whole entries or none, and litter that is removed', async () => {
    const random = new Random(4);
    let interrupted = 0;
    for (let kill = 0; kill < 25; kill++) {
      const child = start(dir, 1e9, kill, 1e6);
      await once(child.stdout, 'data');
      await wait(random.integer(60));
      child.kill('SIGKILL');
      await once(child, 'exit');
      interrupted += readdirSync(writingFolder(dir)).length;
      const cache = await openCache();
      expect(readdirSync(writingFolder(dir))).toEqual([]);
      for (let i = 0; i < 60; i++) {
        const found = await cache.get(keyOf(i));
        if (found !== null) expect(Buffer.compare(found, contentOf(i))).toBe(0);
      }
      expect(cache.stats).toMatchObject({ damaged: 0, failures: 0 });
      // Half of it again to be written, so that every process has something to do.
      for (const i of await indicesThere(60)) if (i % 2 === kill % 2) rmSync(entryPath(dir, keyOf(i)));
    }
    expect(troubles).toEqual([]);
    expect(interrupted).toBeGreaterThan(0);
  });

  test('that share a small cache find the right content or none, and keep to the bound', async () => {
    const maxBytes = 600_000;
    const children = [1, 2, 3].map((seed) => start(dir, maxBytes, seed, 400));
    const results = children.map(async (child): Promise<CacheProcessResult> => {
      let text = '';
      child.stdout.on('data', (piece: Buffer) => (text += piece.toString()));
      await once(child, 'close');
      return JSON.parse(text.replace('started\n', '')) as CacheProcessResult;
    });
    const all = Promise.all(results);
    let largest = 0;
    let looks = 0;
    while ((await Promise.race([all, wait(5, 'running')])) === 'running') {
      // A listing takes a while: what goes and what comes in the meantime was not there at the same time.
      const [before, after] = [await listEntries(dir), await listEntries(dir)];
      if (JSON.stringify(before) !== JSON.stringify(after)) continue;
      looks++;
      largest = Math.max(
        largest,
        before.reduce((sum, { bytes }) => sum + bytes, 0),
      );
    }
    expect(looks).toBeGreaterThan(0);
    expect(largest).toBeLessThanOrEqual(maxBytes);
    for (const { wrong, troubles: found, stats } of await all) {
      expect({ wrong, found }).toEqual({ wrong: 0, found: [] });
      const sum = (key: keyof (typeof stats)[number]): number => stats.reduce((total, one) => total + one[key], 0);
      expect(sum('damaged') + sum('failures')).toBe(0);
      expect(sum('hits')).toBeGreaterThan(0);
      expect(sum('evicted')).toBeGreaterThan(0);
    }
    expect(readdirSync(writingFolder(dir))).toEqual([]);
  });
});
