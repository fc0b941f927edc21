/** The datasets by name: every one opens, and gives samples of its own kind. */
import { join } from 'node:path';

import { describe, expect, test } from '@jest/globals';

import { CATALOGUE } from '../../src/data/catalogue/catalogue.js';
import {
  DATASET_NAMES,
  REFERRING_NAMES,
  openReferringSet,
  openTrainingSet,
  parseSetSpec,
} from '../../src/data/dataset-registry.js';
import { makeSample } from '../../src/data/sampling/load-sample.js';
import { Random } from '../../src/random.js';
import { fixture } from '../helpers/fixtures.js';
import { taught } from '../helpers/taught-sample.js';

const DATA = join(fixture('datasets'), 'data');
const VQA_DATA = fixture('vqa', 'data');
const QUESTIONS = ['vqav2', 'okvqa', 'textvqa', 'vizwiz', 'gqa'];
/** To be evaluated on alone. */
const BENCHMARKS = ['pope', 'mme', 'voc20', 'voc21', 'pc59'];
const OPTIONS = { perSample: 3, absentClasses: 0 };
/** The miniatures have no Google division of RefCOCOg. */
const THERE = DATASET_NAMES.filter((name) => name !== 'refcocog-google');

describe('the registry', () => {
  test('has the datasets of the catalogue', () => {
    expect([...DATASET_NAMES, ...BENCHMARKS].sort()).toEqual(CATALOGUE.map(({ name }) => name).sort());
  });

  test.each(THERE)('%s: its requests make samples of its kind', async (name) => {
    const set = openTrainingSet(name, QUESTIONS.includes(name) ? VQA_DATA : DATA);
    expect(set.kind).toBe(CATALOGUE.find((entry) => entry.name === name)?.kind);
    for (let index = 0; index < set.length; index++) {
      const request = set.requestAt(index);
      expect(structuredClone(request)).toEqual(request);
      const random = new Random(index);
      let sample = await taught(makeSample)(request, random, OPTIONS);
      for (let draw = 0; sample === null && draw < 20; draw++)
        sample = await taught(makeSample)(request, random, OPTIONS);
      expect(sample?.turns.length).toBeGreaterThan(0);
      expect(sample?.targets.length).toBeLessThanOrEqual(OPTIONS.perSample);
    }
  });

  test('splits to evaluate on', () => {
    expect(openReferringSet('grefcoco', DATA, 'testA').images).toHaveLength(1);
    expect(openReferringSet('refzom', DATA, 'test').images).toHaveLength(3);
    expect(openTrainingSet('ade20k', DATA, 'validation').length).toBe(3);
    expect(openTrainingSet('reason_seg', DATA, 'val').length).toBe(2);
  });

  test('a specification names a set and, after a colon, a split', () => {
    expect(parseSetSpec('refcoco+')).toEqual({ name: 'refcoco+', split: 'train' });
    expect(parseSetSpec('ade20k')).toEqual({ name: 'ade20k', split: 'training' });
    expect(parseSetSpec('refcocog:test')).toEqual({ name: 'refcocog', split: 'test' });
  });

  test.each([
    ['refcoc', /no data set "refcoc" \(did you mean "refcoco"\?\); known are ade20k, /],
    ['', /no data set ""; known are/],
    ['constructor', /no data set "constructor"/],
    ['grefcoco:testa', /no split "testa" \(did you mean "testA"\?\); it has train, val, testA, testB/],
    ['grefcoco:', /no split ""/],
  ])('"%s" is refused, with what is known', (spec, message) => {
    expect(() => parseSetSpec(spec)).toThrow(message);
  });

  test('sets without expressions have none to evaluate on', () => {
    expect(() => openReferringSet('ade20k', DATA, 'training')).toThrow(
      new RegExp(`known are ${REFERRING_NAMES.join(', ').replaceAll('+', '\\+')}`),
    );
  });
});
