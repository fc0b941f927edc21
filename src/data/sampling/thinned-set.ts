/** A part of a training set, drawn at random once: the same in every epoch and run with the same seed. */
import { crc32 } from 'node:zlib';
import { Random } from '../../random.js';
import { type DatasetKind, type RequestOf, trainingSet } from '../facts.js';
import type { AnySet } from './sample-source.js';

/**
 * The set itself where it has no more than `most` items; else that many, in their order.
 * @param most at least 1 @param seed with the set's name decides which; independent of the other sets
 */
export function thinned(set: AnySet, most: number, seed: number): AnySet {
  if (set.length <= most) return set;
  const random = new Random(seed).fork(crc32(set.name));
  const all = Array.from({ length: set.length }, (_, index) => index);
  const kept = random.sample(all, most).sort((a, b) => a - b);
  return set.kind === 'vqa' ? taken(set, kept) : lookedUp(set, kept);
}

function lookedUp(set: AnySet, kept: readonly number[]): AnySet {
  return trainingSet(set.name, set.kind, kept, (index) => set.requestAt(index));
}

/** Requests in words are short: with them at hand, a list of a million questions can be released. */
function taken(set: AnySet, kept: readonly number[]): AnySet {
  const requests: RequestOf<DatasetKind>[] = [];
  // Without a closure, which would keep the set alive.
  for (const index of kept) requests.push(set.requestAt(index));
  return ofRequests(set.name, set.kind, requests);
}

function ofRequests(name: string, kind: DatasetKind, requests: readonly RequestOf<DatasetKind>[]): AnySet {
  return trainingSet(name, kind, requests, (request) => request);
}
