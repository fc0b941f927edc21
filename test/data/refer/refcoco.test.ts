/** RefCOCO, RefCOCO+, RefCOCOg, RefCLEF and Ref-ZOM from their pickles. What they evaluate to: expected-val.test.ts. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, describe, expect, test } from '@jest/globals';

import { isInSplit, refCoco, RefZom } from '../../../src/data/refer/refcoco.js';
import type { ReferSplit } from '../../../src/data/refer/refer-dataset.js';
import { UserError } from '../../../src/errors.js';
import { fixture } from '../../helpers/fixtures.js';

const dataDir = fixture('datasets', 'data');
const scratch = mkdtempSync(join(tmpdir(), 'gsva-refcoco-'));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

/** A copy of the referring datasets that may be changed. */
function copied(): string {
  const dir = mkdtempSync(join(scratch, 'data-'));
  cpSync(join(dataDir, 'refer_seg'), join(dir, 'refer_seg'), { recursive: true });
  return dir;
}

describe('splits', () => {
  const splits: [ReferSplit, readonly string[]][] = [
    ['train', ['train']],
    ['val', ['val']],
    ['test', ['test', 'testA', 'testB', 'testC', 'testAB', 'testBC', 'testAC']],
    ['testA', ['testA', 'testAB', 'testAC']],
    ['testB', ['testB', 'testAB', 'testBC']],
    ['testC', ['testC', 'testBC', 'testAC']],
    ['testAB', ['testAB']],
    ['testBC', ['testBC']],
    ['testAC', ['testAC']],
  ];
  test.each(splits)('%s is made of %j', (split, members) => {
    const all = ['train', 'val', 'test', 'testA', 'testB', 'testC', 'testAB', 'testBC', 'testAC'];
    expect(all.filter((recorded) => isInSplit(recorded, split)).sort()).toEqual([...members].sort());
  });

  test('names are told of what a file has', () => {
    expect([...refCoco('refcoco', 'unc').splits(dataDir)].sort()).toEqual(['testA', 'testB', 'train', 'val']);
    expect([...refCoco('refcocog', 'umd').splits(dataDir)].sort()).toEqual(['test', 'train', 'val']);
    expect([...RefZom.splits(dataDir)].sort()).toEqual(['test', 'train']);
    expect(() => refCoco('refcocog', 'umd').open(dataDir, 'testA')).toThrow(
      /RefCOCOg \(umd\): .*refs\(umd\)\.p has nothing of the split "testA"; it has train, val, test/,
    );
  });
});

describe('refCoco', () => {
  const sets: [string, ReturnType<typeof refCoco>, string][] = [
    ['refcoco (unc)', refCoco('refcoco', 'unc'), 'mscoco/images/train2014'],
    ['refcoco+ (unc)', refCoco('refcoco+', 'unc'), 'mscoco/images/train2014'],
    ['refcocog (umd)', refCoco('refcocog', 'umd'), 'mscoco/images/train2014'],
    ['refclef (unc)', refCoco('refclef', 'unc'), 'saiapr_tc-12'],
  ];
  test.each(sets)('%s has one annotation for each expression', (_, set, folder) => {
    const { images } = set.open(dataDir, 'train');
    expect(images.length).toBeGreaterThan(0);
    for (const image of images) {
      expect(existsSync(image.path)).toBe(true);
      expect(image.path).toContain(join('refer_seg', 'images', ...folder.split('/')));
      for (const { annotationIds, isEmpty } of image.expressions) {
        expect([annotationIds.length, isEmpty]).toEqual([1, false]);
      }
    }
    const texts = images.flatMap((image) => image.expressions.map(({ text }) => text));
    // Protocol 0 writes what is not ASCII as \\u escapes, protocol 2 as UTF-8.
    expect(texts).toContain('bar at the middle – café');
  });

  test('RefCOCOg has a second division, in a file of its own', () => {
    const dir = copied();
    const folder = join(dir, 'refer_seg', 'refcocog');
    expect(() => refCoco('refcocog', 'google').open(dir, 'val')).toThrow(/refs\(google\)\.p is missing/);
    cpSync(join(folder, 'refs(umd).p'), join(folder, 'refs(google).p'));
    rmSync(join(folder, 'refs(umd).p'));
    expect(
      refCoco('refcocog', 'google')
        .open(dir, 'val')
        .images.map(({ imageId }) => imageId),
    ).toEqual([101, 104]);
  });

  test('files that are missing, damaged or something else are named', () => {
    const dir = copied();
    const records = join(dir, 'refer_seg', 'refcoco', 'refs(unc).p');
    const open = (): unknown => refCoco('refcoco', 'unc').open(dir, 'val');
    writeFileSync(records, 'cos\nsystem\n(S"ls"\ntR.');
    expect(open).toThrow(UserError);
    expect(open).toThrow(/refs\(unc\)\.p.*os\.system/);
    writeFileSync(records, '(lp0\n.rest');
    expect(open).toThrow(/4 bytes follow its end/);
    writeFileSync(records, '(dp0\n.');
    expect(open).toThrow(/the top level of .*refs\(unc\)\.p is .*expected a list/);
    writeFileSync(records, '(lp0\n(dp1\nVsplit\nVval\nsa.');
    expect(open).toThrow(/\[0\] of .*refs\(unc\)\.p .*key "ann_id"/);
    rmSync(records);
    expect(open).toThrow(/refs\(unc\)\.p is missing. Put the published files into/);
  });
});

describe('RefZom', () => {
  test('an expression is about one thing, several or none', () => {
    const { images } = RefZom.open(dataDir, 'train');
    expect(images[0]?.expressions.map(({ text, annotationIds }) => [text, annotationIds])).toEqual([
      ['the red bar', [1]],
      ['both bar and bar', [1, 2]],
      ['an elephant', []],
    ]);
    const request = RefZom.open(dataDir, 'train').trainingSet('refzom').requestAt(0);
    expect(request.expressions.map(({ masks }) => masks.length)).toEqual([1, 2, 0]);
  });

  test('pictures of val2014 lie in a folder of their own, or with the others', () => {
    const dir = copied();
    const instances = join(dir, 'refer_seg', 'refzom', 'instances.json');
    const file_name = 'COCO_val2014_000000000100.jpg';
    const image = (id: number, name: string): object => ({ id, file_name: name, height: 90, width: 120 });
    writeFileSync(
      instances,
      JSON.stringify({
        images: [image(100, file_name), image(102, 'COCO_train2014_000000000102.jpg'), image(104, file_name)],
        annotations: Array.from({ length: 20 }, (_, i) => ({ id: i + 1, segmentation: [[1, 1, 9, 1, 9, 9]] })),
      }),
    );
    const paths = (): string[] => RefZom.open(dir, 'train').images.map(({ path }) => path);
    const mscoco = join(dir, 'refer_seg', 'images', 'mscoco', 'images');
    expect(paths()[0]).toBe(join(mscoco, 'train2014', file_name));
    mkdirSync(join(mscoco, 'val2014'));
    expect(paths()[0]).toBe(join(mscoco, 'val2014', file_name));
    expect(paths()[1]).toBe(join(mscoco, 'train2014', 'COCO_train2014_000000000102.jpg'));
  });
});
