import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, describe, expect, test } from '@jest/globals';

import { rleToString } from '../../../src/data/masks/coco-mask.js';
import { GRefCoco } from '../../../src/data/refer/refcoco.js';
import { makeReferSample } from '../../../src/data/refer/refer-dataset.js';
import { UserError } from '../../../src/errors.js';
import { Random } from '../../../src/random.js';
import { fixture } from '../../helpers/fixtures.js';

const dataDir = fixture('datasets', 'data');
const scratch = mkdtempSync(join(tmpdir(), 'gsva-grefcoco-'));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

interface Ref {
  image_id: number;
  ann_id: unknown;
  split: string;
  sentences: { sent: unknown }[];
}
interface Instances {
  images: { id: number; file_name: string; height: number; width: number }[];
  annotations: { id: number; image_id: number; segmentation: unknown }[];
}

/** The miniature gRefCOCO with its two files changed. */
function changed(change: (refs: Ref[], instances: Instances) => void): string {
  const dir = mkdtempSync(join(scratch, 'data-'));
  cpSync(join(dataDir, 'refer_seg', 'grefcoco'), join(dir, 'refer_seg', 'grefcoco'), { recursive: true });
  const images = ['refer_seg', 'images', 'mscoco', 'images', 'train2014'];
  cpSync(join(dataDir, ...images), join(dir, ...images), { recursive: true });
  const [refsFile, instancesFile] = ['grefs(unc).json', 'instances.json'].map((name) =>
    join(dir, 'refer_seg', 'grefcoco', name),
  ) as [string, string];
  const refs = JSON.parse(readFileSync(refsFile, 'utf8')) as Ref[];
  const instances = JSON.parse(readFileSync(instancesFile, 'utf8')) as Instances;
  change(refs, instances);
  writeFileSync(refsFile, JSON.stringify(refs));
  writeFileSync(instancesFile, JSON.stringify(instances));
  return dir;
}

function segmentationOf(instances: Instances, id: number): { segmentation: unknown } {
  const found = instances.annotations.find((annotation) => annotation.id === id);
  if (!found) throw new Error(`no annotation ${id}`);
  return found;
}

/** Areas of the targets of the first image of val (101). */
function areas(dir: string): number[] {
  const dataset = GRefCoco.open(dir, 'val');
  const [image] = dataset.images;
  if (!image) throw new Error('no image');
  return dataset.targets(image).map((target) => target.mask.data.reduce((sum, value) => sum + value, 0));
}

describe('GRefCoco', () => {
  test('arranges a split by image, in the order of the file', () => {
    const dataset = GRefCoco.open(dataDir, 'val');
    expect(dataset.split).toBe('val');
    expect(dataset.skippedExpressions).toBe(0);
    expect(dataset.images.map((image) => image.imageId)).toEqual([101, 104]);
    const [image] = dataset.images;
    expect(image).toMatchObject({ fileName: 'COCO_train2014_000000000101.jpg', height: 120, width: 90 });
    expect(existsSync(image?.path ?? '')).toBe(true);
    expect(image?.expressions.map((e) => [e.text, e.annotationIds, e.isEmpty])).toEqual([
      ['red triangle left', [5], false],
      ['the red triangle', [5], false],
      ['yellow triangle left', [6], false],
      ['the yellow triangle', [6], false],
      ['red triangle and blue bar', [5, 7], false],
      ['pink hexagon on the left', [], true],
    ]);
  });

  test('in training, letters keep their case, as in the reference', () => {
    const { images } = GRefCoco.open(dataDir, 'train');
    expect(images.map((image) => image.imageId)).toEqual([100, 102]);
    expect(images[0]?.expressions[1]?.text).toBe('The Red bar');
  });

  test('targets have the recorded areas; an absent one an empty mask', () => {
    expect(areas(dataDir)).toEqual([296, 296, 334, 334, 656, 0]);
    const dataset = GRefCoco.open(dataDir, 'val');
    const targets = dataset.images.flatMap((image) => dataset.targets(image));
    expect(targets.map((target) => target.isEmpty)).toEqual(targets.map((target) => !target.mask.data.includes(1)));
  });

  test('a compressed encoding, a list of encodings and a single id are read as well', () => {
    const plain = areas(dataDir);
    const dir = changed((refs, instances) => {
      // Annotation 7 (the bar) as its compressed encoding, 5 as a list with an uncompressed one.
      segmentationOf(instances, 7).segmentation = {
        size: [120, 90],
        counts: rleToString({
          size: [120, 90],
          counts: [36 * 120 + 35, 10, ...Array.from({ length: 35 }, () => [110, 10]).flat(), 75 + 120 * 18],
        }),
      };
      for (const ref of refs) if (JSON.stringify(ref.ann_id) === '[6]') ref.ann_id = 6;
    });
    expect(areas(dir)).toEqual(plain);
  });

  test('invalid polygons are left out, and with them expressions of which nothing remains', () => {
    const dir = changed((_, instances) => {
      segmentationOf(instances, 5).segmentation = [
        [1, 1, 5, 5],
        [1, 1, 5],
      ];
      segmentationOf(instances, 6).segmentation = [
        [8, 47, 20, 47, 20, 60, 8, 60],
        [1, 2, 3, 4],
      ];
    });
    // Both sentences about 5 alone are gone; the one about 5 and 7 keeps 7.
    expect(areas(dir)).toEqual([12 * 13, 12 * 13, 360, 0]);
    expect(GRefCoco.open(dir, 'val').skippedExpressions).toBe(2);
  });

  test('in training both are faults of the sample, found when it is made', async () => {
    const dir = changed((_, instances) => {
      segmentationOf(instances, 1).segmentation = [[1, 1, 5, 5]];
      instances.annotations = instances.annotations.filter(({ id }) => id !== 8);
    });
    const dataset = GRefCoco.open(dir, 'train');
    expect(dataset.skippedExpressions).toBe(0);
    const set = dataset.trainingSet('grefcoco');
    const make = (index: number): Promise<unknown> =>
      makeReferSample(set.requestAt(index), new Random(1), { perSample: 99, absentClasses: 0 });
    await expect(make(0)).rejects.toThrow(/000100\.jpg.*annotation 1 of .*instances\.json has no polygon/);
    await expect(make(1)).rejects.toThrow(/000102\.jpg.*annotation 8 of .*instances\.json does not exist/);
    const [image] = dataset.images;
    expect(() => image && dataset.targets(image)).toThrow(/annotation 1 of .*instances\.json has no polygon/);
  });

  test('a target without pixels counts as absent: its answer is [REJ]', () => {
    const dir = changed((_, instances) => {
      segmentationOf(instances, 5).segmentation = [];
      segmentationOf(instances, 6).segmentation = [[200, 200, 210, 200, 210, 210]];
    });
    const [image] = GRefCoco.open(dir, 'val').images;
    expect(image?.expressions.map((e) => e.isEmpty)).toEqual([true, true, true, true, false, true]);
  });

  const image = (instances: Instances): Instances['images'][number] => {
    const found = instances.images.find(({ id }) => id === 101);
    if (!found) throw new Error('no image 101');
    return found;
  };
  const wrong: [string, (refs: Ref[], instances: Instances) => void, RegExp][] = [
    [
      'an unknown annotation',
      (_, instances) => void instances.annotations.splice(4, 1),
      /refers to annotation 5 .*instances\.json/,
    ],
    ['an unknown image', (_, instances) => void instances.images.splice(1, 1), /refers to image 101/],
    [
      'no ann_id',
      (refs) => void Reflect.deleteProperty(refs[4] ?? {}, 'ann_id'),
      /\[4\] of .*grefs\(unc\)\.json.*key "ann_id"/,
    ],
    [
      '-1 beside another id',
      (refs) => void Object.assign(refs[4] ?? {}, { ann_id: [-1, 5] }),
      /\[4\]\.ann_id .*\[-1\] alone/,
    ],
    [
      'a sentence that is no text',
      (refs) => void Object.assign(refs[4]?.sentences[0] ?? {}, { sent: 3 }),
      /\[4\]\.sentences\[0\]\.sent of .* is 3; expected a text/,
    ],
    [
      'no annotations',
      (_, instances) => void Reflect.deleteProperty(instances, 'annotations'),
      /the top level of .*key "annotations"/,
    ],
    [
      'a path in a file name',
      (_, instances) => void (image(instances).file_name = '../../etc/passwd'),
      /images\[1\]\.file_name/,
    ],
    [
      'a size of nothing',
      (_, instances) => void (image(instances).height = 0),
      /images\[1\] .*positive height and width/,
    ],
    [
      'an enormous size',
      (_, instances) => void (image(instances).width = 1e9),
      /images\[1\] .*positive height and width/,
    ],
    [
      'a split without anything',
      (refs) => {
        for (const ref of refs) ref.split = 'train';
      },
      /nothing of the split "val"; it has train/,
    ],
  ];
  test.each(wrong)('says what is wrong with %s', (_, change, message) => {
    const dir = changed(change);
    expect(() => GRefCoco.open(dir, 'val')).toThrow(UserError);
    expect(() => GRefCoco.open(dir, 'val')).toThrow(message);
  });

  test('a malformed segmentation is named when it is used', () => {
    const dir = changed((_, instances) => {
      segmentationOf(instances, 5).segmentation = { size: [1, 1], counts: [1] };
    });
    const dataset = GRefCoco.open(dir, 'val');
    expect(() => dataset.images.map((item) => dataset.targets(item))).toThrow(
      /annotation 5 of .*instances\.json.*size \[1,1\]/,
    );
    expect(() => dataset.images[0]?.expressions[0]?.isEmpty).toThrow(UserError);
  });

  test('missing and broken files are named, with what to do', () => {
    expect(() => GRefCoco.open(join(scratch, 'nowhere'), 'val')).toThrow(
      /grefs\(unc\)\.json is missing.*gsva\.js data synth/,
    );
    const dir = changed(() => undefined);
    writeFileSync(join(dir, 'refer_seg', 'grefcoco', 'instances.json'), '{"images": [');
    expect(() => GRefCoco.open(dir, 'val')).toThrow(/instances\.json cannot be read as JSON/);
    rmSync(join(dir, 'refer_seg', 'images'), { recursive: true });
    expect(() => GRefCoco.open(dir, 'val')).toThrow(/train2014 is missing/);
  });
});
