/** Every published set by its name, from the files to loaded samples: a mixture of all of them in miniature. */
import { describe, expect, test } from '@jest/globals';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { MixedSampler } from '../../src/data/mixed-sampler.js';
import { type LoadedSample, SampleLoader } from '../../src/data/sample-loader.js';
import { openReferringSet, openTrainingSet, TRAINING_SETS } from '../../src/data/training-sets.js';
import { DATASET_KINDS } from '../../src/data/training-sample.js';
import { WholeEpochs } from '../../src/data/whole-epochs.js';
import { Random } from '../../src/random.js';

const DATA = resolve('test', 'fixtures', 'datasets', 'data');
const WORKER = pathToFileURL(resolve('test', 'helpers', 'real-sample-worker.cjs'));
const SETTINGS = { sample: { perSample: 3, absentClasses: 1 }, clipSize: 14, samSize: 32 };

const sets = TRAINING_SETS.map((name) => openTrainingSet(name, DATA));

test('every name opens a set with images, of every kind', () => {
  expect(sets).toHaveLength(13);
  for (const set of sets) expect(set.length).toBeGreaterThan(0);
  expect(new Set(sets.map(({ kind }) => kind))).toEqual(new Set(DATASET_KINDS));
  expect(new Set(sets.map(({ name }) => name)).size).toBe(13);
});

test('requests survive the way to another thread', () => {
  for (const set of sets) {
    const request = set.requestAt(0);
    expect(structuredClone(request)).toEqual(request);
    expect(request).toMatchObject({ kind: set.kind, set: set.name });
    expect(existsSync(request.image)).toBe(true);
  }
});

/** [SEG] and [REJ] of the answers against the targets. */
function expectConsistent({ conversations, image }: LoadedSample): void {
  expect(conversations.length).toBeGreaterThan(0);
  for (const { turns, targets } of conversations) {
    expect(turns[0]?.user.startsWith('<image>\n')).toBe(true);
    const answers = turns.map(({ assistant }) => assistant ?? '').join(' ');
    const asked = [...answers.matchAll(/\[(SEG|REJ)\]/g)].map(([, token]) => token);
    expect(asked).toEqual(targets.map(({ mask }) => (mask === null ? 'REJ' : 'SEG')));
    for (const { mask } of targets) {
      if (mask === null) continue;
      expect([mask.height, mask.width]).toEqual(image?.original);
      expect(mask.data).toHaveLength(mask.height * mask.width);
      expect(mask.data.includes(1)).toBe(true);
    }
  }
}

test('a mixture of all of them loads, on threads as without', async () => {
  const load = async (workers: number): Promise<(LoadedSample | null)[]> => {
    const loader = new SampleLoader(new MixedSampler(sets, new Random(3)), {
      ...SETTINGS,
      workers,
      workerFile: WORKER,
    });
    try {
      return await Promise.all(Array.from({ length: 120 }, (_, position) => loader.load(position)));
    } finally {
      await loader.close();
    }
  };
  const [here, threads] = [await load(0), await load(2)];
  expect(threads).toEqual(here);
  const names = new Set(here.map((sample) => sample?.key.replace(/^\d+ /, '')));
  expect(names).toEqual(new Set(sets.map(({ name }) => name)));
  for (const sample of here) expectConsistent(sample as LoadedSample);
});

test('an epoch over the referring sets holds each of their images once, absent targets and all', async () => {
  const referring = sets.filter(({ kind }) => kind === 'refer_seg');
  const source = new WholeEpochs(referring, new Random(1));
  const loader = new SampleLoader(source, { ...SETTINGS, workers: 0 });
  const samples = await Promise.all(Array.from({ length: source.epochLength }, (_, position) => loader.load(position)));
  await loader.close();
  expect(new Set(samples.map((sample) => sample?.key)).size).toBe(source.epochLength);
  for (const sample of samples) expectConsistent(sample as LoadedSample);
});

describe('names', () => {
  test('that are not known are refused with what is possible', () => {
    expect(() => openTrainingSet('refcoco++', DATA)).toThrow(/Did you mean "refcoco\+"\? Possible are ade20k, /);
    expect(() => openTrainingSet('toString', DATA)).toThrow('there is none of this name');
    expect(() => openReferringSet('ade20k', DATA, 'val')).toThrow(/none of this name here.*Possible are refclef, /);
  });

  test('of referring sets also open what is validated on', () => {
    for (const name of ['refcoco', 'grefcoco', 'refzom']) {
      const { images, split } = openReferringSet(name, DATA, 'val');
      expect([images.length > 0, split]).toEqual([true, name === 'refzom' ? 'test' : 'val']);
    }
  });
});
