/** Keys of a cache with the only right content of each. */
import { createHash } from 'node:crypto';
import { Random } from '../../src/random.js';

export function keyOf(index: number): Buffer {
  return createHash('sha256').update(`entry ${index}`).digest();
}

/** Between 0 and 40,000 bytes. */
export function contentOf(index: number): Uint8Array {
  const random = new Random(index);
  return Uint8Array.from({ length: random.integer(40_001) }, () => random.integer(256));
}
