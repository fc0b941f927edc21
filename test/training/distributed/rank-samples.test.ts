/** Which samples a rank takes: together those of one process, also where some cannot be used; nothing is left behind. */
import { describe, expect, test } from '@jest/globals';
import { UserError } from '../../../src/errors.js';
import { Random } from '../../../src/random.js';
import { positionsOf, RankSamples } from '../../../src/training/distributed/rank-samples.js';
import { SampleQueue } from '../../../src/training/loop/sample-queue.js';
import type { TrainingTask } from '../../../src/training/loop/training-task.js';
import { localRanks } from '../../helpers/local-ranks.js';

/** Samples are their positions; `unusable` are passed over. */
class Positions {
  prepared = 0;
  released = 0;
  closed = 0;

  constructor(private readonly unusable: (position: number) => boolean) {}

  get task(): TrainingTask<number> {
    return {
      samples: () => ({
        at: async (position: number) => {
          await new Promise((resolve) => setTimeout(resolve, position % 3));
          if (this.unusable(position)) return null;
          this.prepared++;
          return position;
        },
        close: async () => {
          this.closed++;
        },
      }),
      release: () => {
        this.released++;
      },
    } as unknown as TrainingTask<number>;
  }
}

const BATCH = 2;
const UPDATES = 5;
const START = 7;

interface Taken {
  /** Positions of each update, sorted. */
  readonly updates: number[][];
  readonly ends: number[];
}

/** What `ranks` ranks take together in updates of 4 micro-batches. */
async function take(ranks: number, unusable: (position: number) => boolean): Promise<Taken> {
  const accumulation = 4 / ranks;
  const all = await Promise.all(
    localRanks(ranks).map(async (communicator) => {
      const source = new Positions(unusable);
      const options = { batchSize: BATCH, accumulation, position: START, updates: UPDATES, depth: 3 };
      const samples =
        ranks === 1
          ? new SampleQueue(source.task, new Random(1), START, UPDATES * accumulation * BATCH, 3, () => undefined)
          : new RankSamples(source.task, new Random(1), options, communicator, () => undefined);
      const updates: number[][] = [];
      const ends: number[] = [];
      for (let update = 0; update < UPDATES; update++) {
        const taken: number[] = [];
        while (taken.length < accumulation * BATCH) taken.push(await samples.next());
        await samples.endUpdate();
        updates.push(taken);
        ends.push(samples.position);
        source.released += taken.length; // the trainer's part
      }
      await samples.close();
      expect(source.released).toBe(source.prepared);
      expect(source.closed).toBe(1);
      return { updates, ends };
    }),
  );
  const updates = Array.from({ length: UPDATES }, (_, update) =>
    all.flatMap((rank) => rank.updates[update] ?? []).sort((a, b) => a - b),
  );
  for (const { ends } of all) expect(ends).toEqual(all[0]?.ends);
  return { updates, ends: all[0]?.ends ?? [] };
}

describe('positionsOf', () => {
  test('with one sample in a micro-batch takes the positions whose rest is the rank', () => {
    expect(positionsOf(8, 1, 4, { batchSize: 1, accumulation: 3 })).toEqual([9, 13, 17]);
  });

  test('takes whole micro-batches, as one process cuts them', () => {
    expect(positionsOf(0, 1, 2, { batchSize: 3, accumulation: 2 })).toEqual([3, 4, 5, 9, 10, 11]);
  });
});

describe.each([2, 4])('the samples of %i ranks', (ranks) => {
  test.each<[string, (position: number) => boolean]>([
    ['all can be used', () => false],
    ['a few cannot', (position) => [8, 9, 15, 16, 31].includes(position)],
    ['a stretch cannot', (position) => position >= 10 && position < 40],
    ['every third cannot', (position) => position % 3 === 0],
  ])('are in every update those of one process: %s', async (_name, unusable) => {
    expect(await take(ranks, unusable)).toEqual(await take(1, unusable));
  });

  test('end with an error on every rank where hardly anything can be used', async () => {
    const results = await Promise.allSettled(
      localRanks(ranks).map(async (communicator) => {
        const options = { batchSize: 1, accumulation: 4, position: 0, updates: 1, depth: 2 };
        const source = new Positions(() => true);
        const samples = new RankSamples(source.task, new Random(1), options, communicator, () => undefined);
        try {
          await samples.next();
        } finally {
          await samples.close();
        }
      }),
    );
    for (const result of results) expect(result).toMatchObject({ reason: expect.any(UserError) });
  });
});
