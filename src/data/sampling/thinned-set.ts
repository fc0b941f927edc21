/** A part of a training set, drawn at random once: the same in every epoch and run with the same seed. */
import { crc32 } from 'node:zlib';
import { Random } from '../../random.js';
import type { AnySet } from './sample-source.js';

/**
 * The set itself where it has no more than `most` items; else that many, in their order.
 * @param most at least 1 @param seed with the set's name decides which; independent of the other sets
 */
export function thinned(set: AnySet, most: number, seed: number): AnySet {
  if (set.length <= most) return set;
  const random = new Random(seed).fork(crc32(set.name));
  const all = Array.from({ length: set.length }, (_, index) => index);
  const kept = Uint32Array.from(random.sample(all, most)).sort();
  return {
    name: set.name,
    kind: set.kind,
    length: most,
    requestAt: (index) => {
      const original = kept[index];
      if (original === undefined) throw new RangeError(`${set.name}: no image ${index} in ${most}`);
      return set.requestAt(original);
    },
  };
}
