/** Sets of PASCAL VOC's layout: classes, the pictures of a list, masks of palette maps, and what the audit finds. */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { auditDatasets } from '../../../src/data/audit/audit-datasets.js';
import { CATALOGUE } from '../../../src/data/catalogue/catalogue.js';
import { openEvaluatedSet, splitsOf } from '../../../src/data/dataset-registry.js';
import { LISTED_SETS, openListedMaps } from '../../../src/data/sem-seg/listed-maps.js';
import { fixture } from '../../helpers/fixtures.js';

const DATA = fixture('ovs', 'data');
const scratch = mkdtempSync(join(tmpdir(), 'gsva-listed-maps-'));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

const open = (name: string) => openEvaluatedSet(name, DATA, 'val', { honourIgnore: false });

describe('classes', () => {
  test('by number: VOC has 20 and perhaps the background, PASCAL Context 59', () => {
    const { voc20, voc21, pc59 } = LISTED_SETS;
    expect([voc20, voc21, pc59].map(({ classes }) => new Set(classes).size)).toEqual([21, 21, 60]);
    expect([voc20.classes[0], voc21.classes[0], pc59.classes[0]]).toEqual([null, 'background', null]);
    expect([1, 15, 20].map((number) => voc20.classes[number])).toEqual(['aeroplane', 'person', 'tv monitor']);
    expect([1, 30, 38, 59].map((number) => pc59.classes[number])).toEqual(['aeroplane', 'ground', 'plate', 'wood']);
  });
});

describe('the pictures of a split', () => {
  test.each([
    ['voc20', ['aeroplane', 'person'], ['train']],
    ['voc21', ['background', 'aeroplane', 'person'], ['background', 'train']],
    ['pc59', ['ground', 'horse', 'sky'], ['bottle', 'wood']],
  ])('%s: those of the list, each with its classes, void left out', async (name, ...expected) => {
    const { images } = await open(name);
    expect(splitsOf(name)).toEqual(['val']);
    expect(images.map(({ expressions }) => expressions.map(({ text }) => text))).toEqual(expected);
    expect(images.every(({ height, width }) => height === 4 && width === 6)).toBe(true);
  });

  test('a mask is where the palette has the class', async () => {
    const dataset = await open('voc20');
    const [first] = dataset.images;
    const [, person] = first === undefined ? [] : dataset.targets(first);
    expect(person).toMatchObject({ expression: 'person', form: 'class' });
    expect([...(person?.mask.data.subarray(0, 6) ?? [])]).toEqual([0, 0, 0, 0, 1, 1]);
    // The background is not asked for here, and void never is.
    expect([...(person?.ignored?.data.subarray(0, 6) ?? [])]).toEqual([1, 0, 0, 1, 0, 0]);
  });

  test('another split and a bad list are refused by name', async () => {
    await expect(openEvaluatedSet('pc59', DATA, 'test', { honourIgnore: false })).rejects.toThrow(/no split "test"/);
    expect(() => openListedMaps('voc20', scratch, 'val')).toThrow(/val\.txt is missing\. Unpack VOCtrainval_11/);
    const dir = join(scratch, 'bad');
    cpSync(DATA, dir, { recursive: true });
    const list = join(dir, LISTED_SETS.voc20.root, LISTED_SETS.voc20.lists, 'val.txt');
    for (const [text, message] of [
      ['2007_000033\n../secret\n', /line 2 of .*"\.\.\/secret", expected the name of a picture/],
      ['2007_000033\n\n2007_000033\n', /line 3 of .* repeats 2007_000033/],
      ['\n', /val\.txt is empty/],
    ] as const) {
      writeFileSync(list, text);
      expect(() => openListedMaps('voc20', dir, 'val')).toThrow(message);
    }
  });
});

describe('the audit', () => {
  const report = async (dir: string, name: string) => {
    const entries = CATALOGUE.filter((entry) => entry.name === name);
    return (await auditDatasets(dir, entries, { isThorough: true }))[0];
  };

  test.each(['voc20', 'voc21', 'pc59'])('%s: sound, and fewer than published', async (name) => {
    expect(await report(DATA, name)).toMatchObject({
      state: 'partial',
      problems: [],
      figures: { images: 2, splits: { val: { images: 2 } } },
    });
  });

  test('a map and a picture that are missing, and a number that is no class, are named', async () => {
    const dir = join(scratch, 'broken');
    cpSync(DATA, dir, { recursive: true });
    const { root, labels } = LISTED_SETS.pc59;
    rmSync(join(dir, root, labels, '2008_000008.png'));
    rmSync(join(dir, root, 'JPEGImages', '2008_000015.jpg'));
    const found = await report(dir, 'pc59');
    const problems = found?.problems.map(({ kind, examples }) => [kind, basename(examples[0]?.split(' ')[0] ?? '')]);
    expect(problems).toEqual([
      ['broken reference', '2008_000008.png'],
      ['missing image', '2008_000015.jpg'],
    ]);
    const voc = LISTED_SETS.voc20;
    const maps = join(dir, voc.root, voc.labels);
    cpSync(join(DATA, root, labels, '2008_000015.png'), join(maps, '2007_000033.png'));
    expect((await report(dir, 'voc20'))?.problems).toMatchObject([
      { kind: 'unusable label map', examples: [expect.stringContaining('the class number 59; expected 0 to 20')] },
    ]);
  });
});
