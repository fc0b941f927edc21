/** Loading: the same samples on any number of threads, redraws, bad samples, threads that fail, closing. */
import { afterEach, describe, expect, test } from '@jest/globals';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  type BadSample,
  type ImageToLoad,
  type LoadedSample,
  SampleLoader,
  type SampleLoaderOptions,
} from '../../../src/data/sampling/sample-loader.js';
import { type AnySet, MixedSampler, type SampleSource, WholeEpochs } from '../../../src/data/sampling/sample-source.js';
import { UserError } from '../../../src/errors.js';
import { Random } from '../../../src/random.js';
import { FAKE_MAKERS, fakeLessons, fakeSet } from '../../helpers/fake-samples.js';

const WORKER = pathToFileURL(resolve('test', 'helpers', 'fake-sample-worker.cjs'));
const open: SampleLoader[] = [];

afterEach(async () => {
  for (const loader of open.splice(0)) await loader.close();
});

function loaderOf(source: SampleSource, changes: Partial<SampleLoaderOptions> = {}): SampleLoader {
  const loader = new SampleLoader(source, {
    sample: { perSample: 3, absentClasses: 0 },
    pictures: {
      clip: { transform: 'crop', side: 14, neededFor: 'text' },
      sam: { transform: 'pad', side: 16, neededFor: 'masks' },
    },
    workers: 0,
    makers: FAKE_MAKERS,
    lessons: fakeLessons,
    workerFile: WORKER,
    ...changes,
  });
  open.push(loader);
  return loader;
}

const mixed = (...sets: AnySet[]): MixedSampler => new MixedSampler(sets, new Random(1));
const epochs = (...names: string[]): WholeEpochs =>
  new WholeEpochs([fakeSet('set', 'refer_seg', names)], new Random(1));
const good = (count: number): string[] => Array.from({ length: count }, (_, i) => `good-${i}`);

function loadAll(loader: SampleLoader, count: number): Promise<(LoadedSample | null)[]> {
  return Promise.all(Array.from({ length: count }, (_, position) => loader.load(position)));
}

const SETS = [
  fakeSet('a', 'refer_seg', ['good-1', 'good-2', 'none-1', 'half-absent-1']),
  fakeSet('b', 'vqa', ['good-3', 'bad-1', 'good-4', 'good-5']),
];

describe('samples', () => {
  test('are the same on none, one and three threads, in whatever order they become ready', async () => {
    const [none, one, three] = await Promise.all(
      [0, 1, 3].map((workers) => loadAll(loaderOf(mixed(...SETS), { workers, maxBadShare: 1 }), 60)),
    );
    expect(new Set(none?.map((sample) => sample?.name)).size).toBeGreaterThan(4);
    expect(one).toEqual(none);
    expect(three).toEqual(none);
  });

  test('come whole: prepared image, turns, targets with their masks, what they are called', async () => {
    const sample = await loaderOf(epochs('good-0'), { workers: 1 }).load(0);
    expect(sample).toMatchObject({
      name: 'good-0',
      key: '0 set',
      conversations: [{ turns: [{ assistant: 'good-0 [SEG]' }] }, { turns: [{ user: 'and?' }] }],
    });
    expect(sample?.image?.inputs['clip']).toHaveLength(14 * 14 * 3);
    expect(sample?.image?.inputs['sam']).toHaveLength(16 * 16 * 3);
    expect([sample?.image?.original, sample?.image?.resized]).toEqual([
      [24, 36],
      [11, 16],
    ]);
    const [first, second] = sample?.conversations ?? [];
    expect(second?.targets).toEqual([{ text: 'a', mask: first?.targets[0]?.mask }]);
    expect(first?.targets.map(({ text, mask }) => [text, mask?.height, mask?.width, mask?.data[5]])).toEqual([
      ['a', 24, 36, 1],
      ['b', undefined, undefined, undefined],
      ['c', 24, 36, 1],
      ['d', 24, 36, 0],
    ]);
    expect(first?.targets[0]?.mask?.data).toHaveLength(24 * 36);
  });

  test('come without the image where both encoders have seen it, and with the half that one has yet to see', async () => {
    const needs = (...names: string[]): Promise<ReadonlySet<string>> => Promise.resolve(new Set(names));
    for (const workers of [0, 1]) {
      const loader = loaderOf(epochs('good-0', 'good-1'), { workers });
      const samples = await Promise.all(
        [0, 1].map((at) => loader.load(at, ({ key }) => (key === '0 set' ? needs() : needs('clip', 'sam')))),
      );
      expect(samples.map((sample) => [sample?.name, sample?.image === null]).sort()).toEqual([
        ['good-0', true],
        ['good-1', false],
      ]);
      const seen: ImageToLoad[] = [];
      const half = await loader.load(2, (image) => {
        seen.push(image);
        return needs('sam');
      });
      expect([half?.image?.inputs['clip'], half?.image?.inputs['sam']?.length]).toEqual([undefined, 16 * 16 * 3]);
      expect(seen).toEqual([{ key: half?.key, path: half?.name, kind: 'refer_seg' }]);
    }
  });

  test('have nothing for F_V2 where no mask is asked for; where F_V1 has seen the image, it is not decoded', async () => {
    for (const workers of [0, 1]) {
      const loader = loaderOf(epochs('absent-1'), { workers });
      const whole = await loader.load(0);
      expect(whole?.conversations[0]?.targets).toEqual([{ text: 'a', mask: null }]);
      expect([whole?.image?.inputs['clip']?.length, whole?.image?.inputs['sam']]).toEqual([14 * 14 * 3, undefined]);
      expect([whole?.image?.original, whole?.image?.resized]).toEqual([
        [24, 36],
        [11, 16],
      ]);
      const known = await loader.load(1, () => Promise.resolve(new Set(['sam'])));
      expect(known?.image).toBeNull();
    }
  });

  test('are bad where the image turns out to be damaged, which only matters where it is decoded', async () => {
    const loader = loaderOf(epochs('damaged-1', 'good-1'), { maxBadShare: 1 });
    expect((await loadAll(loader, 2)).map((sample) => sample?.name).sort()).toEqual(['good-1', undefined]);
    const known = (): Promise<ReadonlySet<string>> => Promise.resolve(new Set());
    expect(await Promise.all([2, 3].map((at) => loader.load(at, known)))).not.toContain(null);
  });
});

describe('a draw that gives nothing', () => {
  test('is replaced by another image of the set in a mixture', async () => {
    const samples = await loadAll(loaderOf(mixed(fakeSet('a', 'refer_seg', ['none', 'good-1', 'good-2']))), 40);
    expect(new Set(samples.map((sample) => sample?.name))).toEqual(new Set(['good-1', 'good-2']));
  });

  test('is drawn again from the same image in whole epochs, ten times, then its absent targets are taken', async () => {
    const source = epochs('absent-1', 'good-1', 'half-absent-1');
    const samples = await loadAll(loaderOf(source), 3);
    expect(samples.map((sample) => sample?.name).sort()).toEqual(['absent-1', 'good-1', 'half-absent-1']);
    const absent = samples.find((sample) => sample?.name === 'absent-1');
    expect(absent?.conversations[0]?.targets).toEqual([{ text: 'a', mask: null }]);
    expect(samples.find((sample) => sample?.name === 'half-absent-1')?.conversations[0]?.targets).toHaveLength(4);
    const { set, random } = source.draw(samples.indexOf(absent ?? null), 10);
    expect(set.name).toBe('set');
    expect(absent?.conversations[0]?.turns[0]?.user).toBe(`<image>\nwhat is ${random.uint32()}?`);
  });

  test('ends the run where a set gives nothing at all', async () => {
    const loader = loaderOf(mixed(fakeSet('a', 'refer_seg', ['none-1', 'none-2'])));
    await expect(loader.load(0)).rejects.toThrow(/100 draws from the set "a" had nothing to learn from, .* none-/);
  });

  test('and is none even at last is left out of its epoch, reported', async () => {
    const seen: BadSample[] = [];
    const loader = loaderOf(epochs('none-1', 'good-1'), { onBadSample: (bad) => seen.push(bad) });
    expect((await loadAll(loader, 2)).filter((sample) => sample === null)).toHaveLength(1);
    expect(seen.map(({ message }) => message)).toEqual(['none-1 has nothing to learn from.']);
  });
});

describe('bad samples', () => {
  test('are skipped in whole epochs; each is reported once with its path, and counted each time', async () => {
    const seen: BadSample[] = [];
    const names = ['bad-1', 'no-request-1', ...good(38)];
    const loader = loaderOf(epochs(...names), { workers: 1, maxBadShare: 0.1, onBadSample: (bad) => seen.push(bad) });
    const samples = await loadAll(loader, 120);
    expect(samples.filter((sample) => sample === null)).toHaveLength(6);
    for (const name of good(38)) expect(samples.filter((sample) => sample?.name === name)).toHaveLength(3);
    expect(loader.counts).toEqual({ samples: 120, bad: 6 });
    expect(seen.map(({ set, message }) => [set, message]).sort()).toEqual([
      ['set', 'Cannot read bad-1 as an image: it is damaged.'],
      ['set', 'no-request-1.json: annotation 7 does not exist.'],
    ]);
  });

  test('are replaced in a mixture', async () => {
    const loader = loaderOf(mixed(fakeSet('a', 'vqa', ['bad-1', ...good(9)])), { maxBadShare: 0.5 });
    const samples = await loadAll(loader, 60);
    expect(samples.every((sample) => sample?.name.startsWith('good'))).toBe(true);
    const { samples: all, bad } = loader.counts;
    expect(bad).toBeGreaterThan(0);
    expect(all).toBe(60 + bad);
  });

  test('end the run when more than the share are bad, judged from 100 samples on; later loads fail alike', async () => {
    const source = epochs(...good(50), 'bad-1');
    const loader = loaderOf(source);
    let error: unknown = null;
    let position = 0;
    for (; position < 1000 && error === null; position++) {
      await loader.load(position).catch((thrown: unknown) => (error = thrown));
    }
    expect(error).toBeInstanceOf(UserError);
    // One in 51: the third of them, at the latest, is beyond both 100 samples and 1 %.
    expect(position).toBeGreaterThanOrEqual(100);
    expect(String(error)).toMatch(
      /[23] of 1\d\d samples were bad, more than the 1 % .* set "set": Cannot read bad-1 .*gsva\.js data check.*maxBadShare/,
    );
    await expect(loader.load(0)).rejects.toBe(error);
    // Half of them: more than are bad.
    await loadAll(loaderOf(source, { maxBadShare: 0.5 }), 300);
  });

  test('end the run at once when 20 in a row are bad', async () => {
    const loader = loaderOf(epochs(...Array.from({ length: 30 }, (_, i) => `bad-${i}`)), { maxBadShare: 1 });
    await expect(loadAll(loader, 19)).resolves.toEqual(new Array(19).fill(null));
    await expect(loader.load(19)).rejects.toThrow('the last 20 samples were all bad');
    const mixture = loaderOf(mixed(fakeSet('a', 'vqa', ['bad-1'])), { maxBadShare: 1 });
    await expect(mixture.load(0)).rejects.toThrow('the last 20 samples were all bad');
  });

  test('a share or number of threads that cannot be is refused', () => {
    expect(() => loaderOf(epochs('good-0'), { maxBadShare: 2 })).toThrow('maxBadShare is 2');
    expect(() => loaderOf(epochs('good-0'), { workers: 1.5 })).toThrow('workers is 1.5');
  });
});

describe('threads', () => {
  test.each([
    ['a fault of the program', 'fault-1', /failed at fault-1: TypeError: a fault of the program/],
    ['a thread that ends', 'exit-1', /failed at exit-1: it ended with code 3/],
  ])('%s ends loading and names the image', async (_, name, message) => {
    const loader = loaderOf(epochs(name), { workers: 1 });
    const loads = [0, 1, 2].map((position) => loader.load(position));
    for (const load of loads) await expect(load).rejects.toThrow(message);
    await expect(loader.load(3)).rejects.toThrow(message);
  });

  test('without memory they say so', async () => {
    const loader = loaderOf(epochs('memory-1'), { workers: 1 });
    await expect(loader.load(0)).rejects.toThrow('no memory left at memory-1');
  });

  test('a file that is not there is an error, not a wait', async () => {
    const loader = loaderOf(epochs('good-0'), { workers: 1, workerFile: pathToFileURL(resolve('none.js')) });
    await expect(loader.load(0)).rejects.toThrow(/A thread that loads samples failed.*none\.js/s);
  });

  test('closing ends what is under way; nothing can be loaded after', async () => {
    const loader = loaderOf(epochs(...good(20)), { workers: 2 });
    const loads = Array.from({ length: 20 }, (_, position) => loader.load(position));
    await loads[0];
    const settled = Promise.allSettled(loads);
    await loader.close();
    expect((await settled).some(({ status }) => status === 'rejected')).toBe(true);
    await expect(loader.load(0)).rejects.toThrow('closed');
    await loader.close();
  });
});
