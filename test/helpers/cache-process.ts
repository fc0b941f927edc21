/**
 * A process that works with a cache (started as cache-process.cjs): DIR MAX_BYTES SEED OPERATIONS. It asks for
 * random entries, writes those that are missing, reopens the cache now and then, and prints in the end what it found.
 */
import { FileCache, type FileCacheStats } from '../../src/io/cache/file-cache.js';
import { Random } from '../../src/random.js';
import { contentOf, keyOf } from './cache-content.js';

/** Keys that the processes work with. */
const KEYS = 60;
const REOPEN_AFTER = 50;

export interface CacheProcessResult {
  readonly wrong: number;
  readonly troubles: readonly string[];
  readonly stats: readonly FileCacheStats[];
}

async function main(dir: string, maxBytes: number, seed: number, operations: number): Promise<void> {
  const random = new Random(seed);
  const troubles: string[] = [];
  const stats: FileCacheStats[] = [];
  const open = (): Promise<FileCache> =>
    FileCache.open(dir, { maxBytes, kind: 'test', onTrouble: (message) => troubles.push(message) });
  let cache = await open();
  let wrong = 0;
  process.stdout.write('started\n');
  for (let done = 1; done <= operations; done++) {
    const index = random.integer(KEYS);
    const found = await cache.get(keyOf(index));
    if (found === null) await cache.put(keyOf(index), [contentOf(index)]);
    else if (Buffer.compare(found, contentOf(index)) !== 0) wrong++;
    if (done % REOPEN_AFTER === 0) {
      stats.push(cache.stats);
      cache = await open();
    }
  }
  process.stdout.write(JSON.stringify({ wrong, troubles, stats } satisfies CacheProcessResult));
}

const [dir = '', maxBytes, seed, operations] = process.argv.slice(2);
void main(dir, Number(maxBytes), Number(seed), Number(operations));
