/** Repeated lists: every item as often as its rate says, masks in every micro-batch, thinning, resuming, ranks. */
import { describe, expect, test } from '@jest/globals';
import { RepeatedLists, type Repetition } from '../../../src/data/sampling/repeated-lists.js';
import { SampleLoader } from '../../../src/data/sampling/sample-loader.js';
import type { AnySet, SampleDraw } from '../../../src/data/sampling/sample-source.js';
import { epochLengthOf, sourceOf } from '../../../src/data/sampling/source-of.js';
import { thinned } from '../../../src/data/sampling/thinned-set.js';
import { Random } from '../../../src/random.js';
import { positionsOf } from '../../../src/training/distributed/rank-samples.js';
import { chiSquare, criticalValue } from '../../helpers/chi-square.js';
import { FAKE_MAKERS, fakeLessons, fakeSet } from '../../helpers/fake-samples.js';

const ADE = fakeSet('ade20k', 'sem_seg', 7);
const REFER = fakeSet('refcoco', 'refer_seg', 5);
const REASON = fakeSet('reason', 'reason_seg', 3);
const LLAVA = fakeSet('llava', 'vqa', 4);
const GQA = fakeSet('gqa', 'vqa', 6);
/** Not in the order of the lists. */
const SETS = [LLAVA, GQA, REASON, ADE, REFER];

const SEG: Repetition = {
  rates: { sem_seg: 6, refer_seg: 20, reason_seg: 6, vqa: 1 },
  drawn: new Set(),
  replaceLastOf: null,
};
const EPOCH = 7 * 6 + 5 * 20 + 3 * 6 + 4 + 6;

function draws(source: RepeatedLists, count: number, first = 0): SampleDraw[] {
  return Array.from({ length: count }, (_, i) => source.draw(first + i, 0));
}

function countsOf(drawn: readonly SampleDraw[], set: AnySet): number[] {
  const counts = Array<number>(set.length).fill(0);
  for (const { set: found, index } of drawn) if (found === set) counts[index] = (counts[index] ?? 0) + 1;
  return counts;
}

const plain = ({ set, index, random }: SampleDraw): unknown[] => [set.name, index, ...random.state];

describe('an epoch', () => {
  test('has every item as often as the rate of its kind, in another order each time', () => {
    const source = new RepeatedLists(SETS, new Random(1), SEG);
    expect([source.epochLength, epochLengthOf({ sets: SETS, weights: null, repetition: SEG })]).toEqual([EPOCH, EPOCH]);
    const epochs = [0, 1].map((epoch) => draws(source, EPOCH, epoch * EPOCH));
    for (const drawn of epochs) {
      for (const set of SETS) expect(countsOf(drawn, set)).toEqual(Array(set.length).fill(SEG.rates[set.kind]));
    }
    const [first, second] = epochs.map((drawn) => drawn.map(({ set, index }) => `${set.name} ${index}`).join());
    expect(second).not.toBe(first);
    // Repetitions draw other classes and expressions.
    const states = epochs[0]?.filter(({ set }) => set === REFER).map(({ random }) => random.state.join());
    expect(new Set(states).size).toBe(100);
  });

  test('depends on seed and position alone', () => {
    const source = new RepeatedLists(SETS, new Random(7), SEG);
    const forwards = draws(source, 2 * EPOCH).map(plain);
    const again = new RepeatedLists(SETS, new Random(7), SEG);
    for (const position of [EPOCH + 3, 2, EPOCH - 1, EPOCH, 0]) {
      expect(plain(again.draw(position, 0))).toEqual(forwards[position]);
    }
    const other = draws(new RepeatedLists(SETS, new Random(8), SEG), EPOCH).map(plain);
    expect(other).not.toEqual(forwards.slice(0, EPOCH));
  });

  test('of sets that are drawn at random has as many of them, each equally likely', () => {
    const source = new RepeatedLists(SETS, new Random(3), { ...SEG, drawn: new Set([REASON]) });
    const epochs = 200;
    const drawn = draws(source, epochs * EPOCH);
    const counts = countsOf(drawn, REASON);
    expect(counts.reduce((sum, count) => sum + count)).toBe(epochs * 18);
    expect(new Set(counts).size).toBeGreaterThan(1);
    expect(chiSquare(counts, [1, 1, 1])).toBeLessThan(criticalValue(2));
    expect(countsOf(drawn, LLAVA)).toEqual(Array(4).fill(epochs));
  });
});

describe('the last place of every micro-batch', () => {
  const BATCH = 5;
  const REPLACED: Repetition = { ...SEG, rates: { ...SEG.rates, vqa: 40 }, replaceLastOf: BATCH };

  test('has an item with masks, by the length of the lists; the others stay', () => {
    const source = new RepeatedLists(SETS, new Random(5), REPLACED);
    const without = new RepeatedLists(SETS, new Random(5), { ...REPLACED, replaceLastOf: null });
    const drawn = draws(source, 20_000);
    const isLast = (position: number): boolean => position % BATCH === BATCH - 1;
    const last = drawn.filter((_, position) => isLast(position));
    const counts = [ADE, REFER, REASON].map((set) => last.filter((draw) => draw.set === set).length);
    expect(counts.reduce((sum, count) => sum + count)).toBe(4000);
    expect(chiSquare(counts, [42, 100, 18])).toBeLessThan(criticalValue(2));
    for (const [position, draw] of drawn.slice(0, 500).entries()) {
      if (!isLast(position)) expect(plain(draw)).toEqual(plain(without.draw(position, 0)));
    }
    expect(without.draw(BATCH - 1, 0)).not.toEqual(drawn[BATCH - 1]);
  });

  test.each([1, 2, 3])('is the last one of each micro-batch of %d ranks', (ranks) => {
    const source = new RepeatedLists(SETS, new Random(5), REPLACED);
    const options = { batchSize: BATCH, accumulation: 4 };
    for (let update = 0; update < 3; update++) {
      for (let rank = 0; rank < ranks; rank++) {
        const positions = positionsOf(update * BATCH * 4 * ranks, rank, ranks, options);
        for (let micro = 0; micro < 4; micro++) {
          const batch = positions.slice(micro * BATCH, (micro + 1) * BATCH);
          expect(source.draw(batch[BATCH - 1] as number, 0).set.kind).not.toBe('vqa');
        }
      }
    }
  });

  test('keeps its place where items cannot be used', async () => {
    const vqa = fakeSet('vqa', 'vqa', ['bad-1', 'none-2', ...Array.from({ length: 300 }, (_, i) => `good-${i}`)]);
    const masks = fakeSet('masks', 'refer_seg', ['bad-3', 'good-m']);
    const source = sourceOf(
      { sets: [vqa, masks], weights: null, repetition: { ...REPLACED, rates: { ...SEG.rates, refer_seg: 1 } } },
      new Random(2),
    );
    const loader = new SampleLoader(source, {
      sample: { perSample: 3, absentClasses: 0 },
      lessons: fakeLessons,
      pictures: {},
      workers: 0,
      makers: FAKE_MAKERS,
      maxBadShare: 1,
      // As questions that fill all tokens.
      isUsable: ([lesson]) => !(lesson?.turns[0]?.assistant ?? '').startsWith('good-7'),
    });
    try {
      for (let position = 0; position < 60; position++) {
        const sample = await loader.load(position);
        expect(sample).not.toBeNull();
        expect(sample?.name.startsWith('good-7')).toBe(false);
        if (position % BATCH === BATCH - 1) expect(sample?.name).toBe('good-m');
      }
    } finally {
      await loader.close();
    }
  });

  test('is refused where no set has masks, or nothing else would be used', () => {
    const made = (sets: AnySet[], replaceLastOf: number) => () =>
      new RepeatedLists(sets, new Random(1), { ...SEG, replaceLastOf });
    expect(made([LLAVA], 5)).toThrow(/segmentation sets, but there is none\. Add one, or set data\.lastOfBatch/);
    expect(made(SETS, 1)).toThrow(/the other sets would never be used\. Set training\.batchSize to 2/);
    expect(made([ADE], 1)).not.toThrow();
    expect(made([fakeSet('none', 'vqa', 0)], 5)).toThrow(/"none" has no images/);
  });
});

describe('thinning', () => {
  const LARGE = fakeSet('large', 'sem_seg', 1000);
  const imagesOf = (set: AnySet): string[] => Array.from({ length: set.length }, (_, i) => set.requestAt(i).image);

  test('keeps a set that is small enough, and a part of a larger one', () => {
    expect(thinned(ADE, 7, 0)).toBe(ADE);
    const part = thinned(LARGE, 300, 0);
    expect([part.name, part.kind, part.length]).toEqual(['large', 'sem_seg', 300]);
    const kept = imagesOf(part);
    expect(new Set(kept).size).toBe(300);
    expect(kept).toEqual(imagesOf(LARGE).filter((image) => kept.includes(image)));
    expect(() => part.requestAt(300)).toThrow(RangeError);
  });

  test('depends on the seed and the name, and on nothing else', () => {
    const kept = imagesOf(thinned(LARGE, 300, 4));
    expect(imagesOf(thinned(LARGE, 300, 4))).toEqual(kept);
    expect(imagesOf(thinned(LARGE, 300, 5))).not.toEqual(kept);
    expect(imagesOf(thinned({ ...LARGE, name: 'other' }, 300, 4))).not.toEqual(kept);
  });

  test('takes every part of the set alike', () => {
    const tenths = Array<number>(10).fill(0);
    for (let seed = 0; seed < 100; seed++) {
      for (const image of imagesOf(thinned(LARGE, 100, seed))) {
        const tenth = Math.floor(Number(image.slice('good-'.length)) / 100);
        tenths[tenth] = (tenths[tenth] ?? 0) + 1;
      }
    }
    expect(chiSquare(tenths, Array<number>(10).fill(1))).toBeLessThan(criticalValue(9));
  });
});
