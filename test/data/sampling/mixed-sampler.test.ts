/** Which samples are drawn: the mixture's frequencies, its independence, whole epochs over several sets, resuming. */
import { describe, expect, test } from '@jest/globals';
import {
  type AnySet,
  MixedSampler,
  PUBLISHED_WEIGHTS,
  type SampleDraw,
  type SampleSource,
  WholeEpochs,
} from '../../../src/data/sampling/sample-source.js';
import { Random } from '../../../src/random.js';
import { chiSquare, criticalValue } from '../../helpers/chi-square.js';
import { fakeSet } from '../../helpers/fake-samples.js';

const DRAWS = 100_000;

/** The published mixture's sets, in small: sizes differ so that drawing by size would show. */
const SETS: readonly AnySet[] = [
  fakeSet('ade20k', 'sem_seg', 50),
  fakeSet('cocostuff', 'sem_seg', 300),
  fakeSet('mapillary', 'sem_seg', 40),
  fakeSet('refclef', 'refer_seg', 20),
  fakeSet('refcoco', 'refer_seg', 170),
  fakeSet('llava', 'vqa', 400),
  fakeSet('reasonseg', 'reason_seg', 24),
];

function draws(source: SampleSource, count = DRAWS, first = 0): SampleDraw[] {
  return Array.from({ length: count }, (_, i) => source.draw(first + i, 0));
}

function countsOf(values: readonly number[], categories: number): number[] {
  const counts = new Array<number>(categories).fill(0);
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}

/** Expects the counts to be those of the shares; fails for one seed in a thousand if they are. */
function expectShares(counts: readonly number[], shares: readonly number[]): void {
  expect(chiSquare(counts, shares)).toBeLessThan(criticalValue(counts.length - 1));
}

const even = (count: number): number[] => new Array<number>(count).fill(1);
const plain = ({ set, index, random }: SampleDraw): unknown => [set.name, index, random.state];

describe('the mixture', () => {
  // Three seeds: one alone could be a lucky one.
  describe.each([1, 2, 2 ** 31])('of seed %d', (seed) => {
    const drawn = draws(new MixedSampler(SETS, new Random(seed)));
    const setIndex = drawn.map(({ set }) => SETS.indexOf(set));

    test('has the kinds in the ratio 9 : 6 : 3 : 1', () => {
      const kinds = Object.keys(PUBLISHED_WEIGHTS);
      expect(kinds).toEqual(['sem_seg', 'refer_seg', 'vqa', 'reason_seg']);
      const byKind = countsOf(
        drawn.map(({ set }) => kinds.indexOf(set.kind)),
        4,
      );
      expectShares(byKind, [9, 6, 3, 1]);
    });

    test('has the sets of a kind alike, whatever their size', () => {
      expectShares(countsOf(setIndex, 7), [3, 3, 3, 3, 3, 3, 1]);
    });

    test('has the images of a set alike', () => {
      for (const set of SETS) {
        const indices = drawn.filter((draw) => draw.set === set).map(({ index }) => index);
        expectShares(countsOf(indices, set.length), even(set.length));
      }
    });

    test('draws each position independently of those before it', () => {
      const shares = [3, 3, 3, 3, 3, 3, 1];
      for (const lag of [1, 2, 3, 16]) {
        const pairs = setIndex.slice(lag).map((now, i) => 7 * (setIndex[i] as number) + now);
        expectShares(
          countsOf(pairs, 49),
          shares.flatMap((a) => shares.map((b) => a * b)),
        );
        // In which eighth of its set an image stands, against the one before; in sets that can be divided so.
        const eighths = drawn.map(({ set, index }) => {
          return set.length % 8 === 0 ? Math.floor((8 * index) / set.length) : null;
        });
        const both = eighths.slice(lag).flatMap((now, i) => {
          const before = eighths[i] ?? null;
          return now === null || before === null ? [] : [8 * before + now];
        });
        expectShares(countsOf(both, 64), even(64));
      }
    });

    test('gives each draw a generator of its own, independent of what was drawn and of its neighbours', () => {
      const firsts = drawn.map(({ random }) => Math.floor(16 * Random.fromState(random.state).uniform()));
      expectShares(countsOf(firsts, 16), even(16));
      const pairs = firsts.slice(1).map((now, i) => 16 * (firsts[i] as number) + now);
      expectShares(countsOf(pairs, 256), even(256));
      const withSet = firsts.map((value, i) => 7 * value + (setIndex[i] as number));
      expectShares(
        countsOf(withSet, 112),
        even(16).flatMap(() => [3, 3, 3, 3, 3, 3, 1]),
      );
    });
  });

  test('depends on seed, position and attempt alone: the same in any order, from any position on', () => {
    const all = draws(new MixedSampler(SETS, new Random(5)), 300).map(plain);
    const resumed = new MixedSampler(SETS, new Random(5));
    expect(draws(resumed, 100, 200).map(plain)).toEqual(all.slice(200));
    expect(plain(resumed.draw(7, 0))).toEqual(all[7]);
    expect(draws(new MixedSampler(SETS, new Random(6)), 300).map(plain)).not.toEqual(all);
    const random = new Random(5);
    new MixedSampler(SETS, random).draw(3, 0);
    expect(random.state).toEqual(new Random(5).state);
  });

  test('a further attempt stays in the set and draws its images alike', () => {
    const source = new MixedSampler(SETS, new Random(1));
    const indices: number[] = [];
    for (let position = 0; position < 20_000; position++) {
      const [first, second] = [source.draw(position, 0), source.draw(position, 1)];
      expect(second.set).toBe(first.set);
      expect(second.random.state).not.toEqual(first.random.state);
      if (first.set.name === 'refclef') indices.push(20 * first.index + second.index);
    }
    expectShares(countsOf(indices, 400), even(400));
  });

  test('kinds without sets leave their share to the others; the weights can be chosen', () => {
    const two = [fakeSet('a', 'sem_seg', 3), fakeSet('b', 'reason_seg', 3)];
    const kinds = (source: SampleSource): number[] =>
      countsOf(
        draws(source, 20_000).map(({ set }) => two.indexOf(set)),
        2,
      );
    expectShares(kinds(new MixedSampler(two, new Random(1))), [9, 1]);
    const weights = { sem_seg: 1, refer_seg: 5, vqa: 0, reason_seg: 2.5 };
    expectShares(kinds(new MixedSampler(two, new Random(1), weights)), [1, 2.5]);
    expect(new MixedSampler(two, new Random(1)).epochLength).toBe(6);
  });

  test.each([
    ['no set', [], PUBLISHED_WEIGHTS, 'no data set'],
    ['a set without images', [fakeSet('empty', 'vqa', 0)], PUBLISHED_WEIGHTS, '"empty" has no images'],
    ['a weight below 0', SETS, { ...PUBLISHED_WEIGHTS, vqa: -1 }, 'the weight of vqa is -1'],
    ['a weight that is no number', SETS, { ...PUBLISHED_WEIGHTS, vqa: NaN }, 'the weight of vqa is NaN'],
    ['a set of weight 0', SETS, { ...PUBLISHED_WEIGHTS, vqa: 0 }, '"llava" would never be drawn'],
  ])('refuses %s', (_, sets, weights, message) => {
    expect(() => new MixedSampler(sets, new Random(1), weights)).toThrow(message);
  });
});

describe('whole epochs', () => {
  const sets = SETS.slice(3);
  const total = sets.reduce((sum, set) => sum + set.length, 0);

  test('each image of every set once in an epoch, the next epoch in another order', () => {
    const source = new WholeEpochs(sets, new Random(1));
    expect(source.epochLength).toBe(total);
    const epochs = [0, 1].map((epoch) => draws(source, total, epoch * total));
    const keys = epochs.map((epoch) => epoch.map(({ set, index }) => `${set.name} ${index}`));
    const expected = sets.flatMap((set) => Array.from({ length: set.length }, (_, i) => `${set.name} ${i}`)).sort();
    for (const epoch of keys) expect([...epoch].sort()).toEqual(expected);
    expect(keys[0]).not.toEqual(keys[1]);
  });

  test('a further attempt is another draw of the same image; any position can be the first', () => {
    const source = new WholeEpochs(sets, new Random(1));
    const [first, second] = [source.draw(11, 0), source.draw(11, 1)];
    expect([second.set, second.index]).toEqual([first.set, first.index]);
    expect(second.random.state).not.toEqual(first.random.state);
    expect(plain(new WholeEpochs(sets, new Random(1)).draw(11, 1))).toEqual(plain(second));
    expect(() => new WholeEpochs([], new Random(1))).toThrow('no data set');
  });
});
