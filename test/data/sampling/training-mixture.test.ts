/** Every published set from its files to loaded samples: a mixture of all of them in miniature, and whole epochs. */
import { expect, test } from '@jest/globals';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { DATASET_NAMES, openTrainingSet } from '../../../src/data/dataset-registry.js';
import { MixedSampler, WholeEpochs } from '../../../src/data/sampling/sample-source.js';
import { type LoadedSample, SampleLoader } from '../../../src/data/sampling/sample-loader.js';
import { DATASET_KINDS } from '../../../src/data/facts.js';
import { QUESTION_SETS } from '../../../src/data/vqa/question-sets.js';
import { Random } from '../../../src/random.js';
import { gsvaLessons } from '../../../src/systems/gsva/dialogue.js';

const DATA = resolve('test', 'fixtures', 'datasets', 'data');
const VQA_DATA = resolve('test', 'fixtures', 'vqa', 'data');
const SETTINGS = {
  lessons: gsvaLessons,
  sample: { perSample: 3, absentClasses: 1 },
  pictures: {
    clip: { transform: 'crop', side: 14, neededFor: 'text' } as const,
    sam: { transform: 'pad', side: 32, neededFor: 'masks' } as const,
  },
};

const sets = DATASET_NAMES.filter((name) => name !== 'refcocog-google').map((name) => {
  return openTrainingSet(name, Object.hasOwn(QUESTION_SETS, name) ? VQA_DATA : DATA);
});

test('every name opens a set with images, of every kind', () => {
  expect(sets).toHaveLength(18);
  for (const set of sets) expect(set.length).toBeGreaterThan(0);
  expect(new Set(sets.map(({ kind }) => kind))).toEqual(new Set(DATASET_KINDS));
  expect(new Set(sets.map(({ name }) => name)).size).toBe(18);
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
