/** Samples of referring segmentation are drawn, asked and answered as in the reference, with the masks of the readers. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, describe, expect, test } from '@jest/globals';

import { GRefCoco } from '../../../src/data/refer/refcoco.js';
import { cleanExpression } from '../../../src/data/text/expression.js';
import { ANSWER_FORMS, TRAINING_QUESTIONS } from '../../../src/systems/gsva/prompts.js';
import type { MaskSource } from '../../../src/data/masks/coco-mask-annotation.js';
import { makeReferSample, type ReferRequest } from '../../../src/data/refer/refer-dataset.js';
import { UserError } from '../../../src/errors.js';
import { writeMaskPng, writePng } from '../../../src/io/image/image-file.js';
import { Random } from '../../../src/random.js';
import { chiSquare, criticalValue } from '../../helpers/chi-square.js';
import { fixture } from '../../helpers/fixtures.js';
import { taught, type TaughtSample } from '../../helpers/taught-sample.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-refer-sample-'));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

const dataset = GRefCoco.open(fixture('datasets', 'data'), 'train');
const set = dataset.trainingSet('grefcoco');
const options = { perSample: 3, absentClasses: 0 };

async function sampleOf(request: ReferRequest, seed: number, perSample = 3): Promise<TaughtSample> {
  const sample = await taught(makeReferSample)(request, new Random(seed), { ...options, perSample });
  if (sample === null) throw new Error('nothing to segment');
  return sample;
}

/** Equal shares would give counts as unequal as these more often than once in a thousand times. */
function expectEqualShares(counts: readonly number[]): void {
  expect(
    chiSquare(
      counts,
      counts.map(() => 1),
    ),
  ).toBeLessThan(criticalValue(counts.length - 1));
}

const SQUARE = { segmentation: [[2, 2, 6, 2, 6, 6, 2, 6]] };
const image = join(scratch, 'image.png');

function requestWith(...masks: (readonly MaskSource[])[]): ReferRequest {
  const expressions = masks.map((sources, i) => ({ text: `thing ${i}`, masks: sources }));
  return { kind: 'refer_seg', set: 'own', image, height: 8, width: 12, expressions };
}

describe('the training set', () => {
  test('has a request for each image, plain enough for a worker thread', () => {
    expect(set).toMatchObject({ name: 'grefcoco', kind: 'refer_seg', length: 2 });
    const request = set.requestAt(0);
    expect(request).toMatchObject({ kind: 'refer_seg', set: 'grefcoco', height: 90, width: 120 });
    expect(request.image).toBe(dataset.images[0]?.path);
    expect(request.expressions.map(({ text, masks }) => [text, masks.length])).toEqual([
      ['red bar middle', 1],
      ['The Red bar. ', 1],
      ['blue bar middle', 1],
      ['The Blue bar. ', 1],
      ['red bar and blue square', 2],
      ['pink hexagon on the left', 0],
    ]);
    expect(structuredClone(request)).toEqual(request);
    expect(() => set.requestAt(2)).toThrow(RangeError);
  });
});

describe('makeReferSample', () => {
  test('has the masks of the readers, [SEG] for what is there and [REJ] for what is not', async () => {
    const request = set.requestAt(0);
    // More than there are: all of them, in their order.
    const { image: decode, turns, targets, others } = await sampleOf(request, 1, 7);
    const picture = await decode();
    expect([picture.height, picture.width]).toEqual([90, 120]);
    const known = dataset.images.slice(0, 1).flatMap((item) => dataset.targets(item));
    expect(targets.map(({ text }) => text)).toEqual(known.map(({ expression }) => expression));
    for (const [i, { mask }] of targets.entries()) expect(mask).toEqual(known[i]?.isEmpty ? null : known[i]?.mask);
    expect(targets.map(({ mask }) => mask === null)).toEqual([false, false, false, false, false, true]);
    expect(turns).toHaveLength(1);
    const { user, assistant } = turns[0] ?? { user: '', assistant: '' };
    expect(user).toContain('red bar middle, the red bar, blue bar middle, the blue bar, red bar and blue square, pink');
    const marks = [...(assistant ?? '').matchAll(/\[(SEG|REJ)\]/g)].map((match) => match[1]);
    expect(marks).toEqual(['SEG', 'SEG', 'SEG', 'SEG', 'SEG', 'REJ']);
    expect(assistant).toContain('The Red bar');
    expect(others).toBeUndefined();
  });

  test('draws without replacement, every expression as often; all forms of question and answer as often', async () => {
    const request = set.requestAt(0);
    const drawn = new Map(request.expressions.map(({ text }) => [cleanExpression(text), 0]));
    const questions: number[] = TRAINING_QUESTIONS.map(() => 0);
    const answers: number[] = ANSWER_FORMS.map(() => 0);
    const orders = new Map<string, number>();
    const RUNS = 1500;
    for (let seed = 0; seed < RUNS; seed++) {
      const { turns, targets } = await sampleOf(request, seed);
      const texts = targets.map(({ text }) => text);
      expect(new Set(texts).size).toBe(3);
      for (const text of texts) drawn.set(text, (drawn.get(text) ?? 0) + 1);
      const [first = ''] = texts;
      orders.set(first, (orders.get(first) ?? 0) + 1);
      const { user, assistant } = turns[0] ?? { user: '', assistant: '' };
      const asked = texts.join(', ').toLowerCase();
      const question = TRAINING_QUESTIONS.findIndex((form) => user === `<image>\n${form.replace('{}', asked)}`);
      const parts = (part: string): string =>
        targets
          .map(({ text, mask }) => part.replace('{}', text).replace('SEG', mask === null ? 'REJ' : 'SEG'))
          .join(', ');
      const answer = ANSWER_FORMS.findIndex(({ start, part }) => assistant === `${start} ${parts(part)}.`);
      questions[question] = (questions[question] ?? NaN) + 1;
      answers[answer] = (answers[answer] ?? NaN) + 1;
    }
    // Draws of one sample are not independent, which makes the first statistic smaller only.
    expectEqualShares([...drawn.values()]);
    expect(orders.size).toBe(6);
    expectEqualShares([...orders.values()]);
    expectEqualShares(questions);
    expectEqualShares(answers);
  });

  test('the same seed gives the same sample', async () => {
    const request = set.requestAt(1);
    const [first, again] = [await sampleOf(request, 3), await sampleOf(request, 3)];
    expect({ ...first, image: await first.image() }).toEqual({ ...again, image: await again.image() });
    const texts = await Promise.all([3, 4, 5, 6].map(async (seed) => (await sampleOf(request, seed)).turns[0]?.user));
    expect(new Set(texts).size).toBeGreaterThan(1);
  });

  test('is null where all that is drawn is absent or has no pixel, unless that is accepted', async () => {
    await writePng(image, { data: new Uint8Array(8 * 12 * 3), height: 8, width: 12 });
    const outside = { segmentation: [[40, 40, 50, 40, 50, 50]] };
    const request = requestWith([], [{ segmentation: [] }], [outside]);
    expect(await taught(makeReferSample)(request, new Random(1), options)).toBeNull();
    const accepted = await taught(makeReferSample)(request, new Random(1), { ...options, acceptAllAbsent: true });
    expect(accepted?.targets.map(({ mask }) => mask)).toEqual([null, null, null]);
    let absent = 0;
    for (let seed = 0; seed < 400; seed++) {
      const sample = await taught(makeReferSample)(requestWith([], [SQUARE]), new Random(seed), {
        ...options,
        perSample: 1,
      });
      if (sample === null) absent++;
    }
    // Half of them: 200 ± 4 standard deviations.
    expect(Math.abs(absent - 200)).toBeLessThan(40);
  });

  test('a mask is the union of polygons, encodings and PNGs; a polygon of two points is left out', async () => {
    await writePng(image, { data: new Uint8Array(8 * 12 * 3), height: 8, width: 12 });
    const png = join(scratch, 'mask.png');
    const data = new Uint8Array(8 * 12);
    data[95] = 1;
    await writeMaskPng(png, { data, height: 8, width: 12 });
    const request = requestWith([
      { segmentation: [[1, 1, 5, 5]] },
      SQUARE,
      { png },
      { segmentation: { size: [8, 12], counts: [0, 1, 95] } },
    ]);
    const { targets } = await sampleOf(request, 1);
    const inside = [...(targets[0]?.mask?.data ?? [])].flatMap((value, i) => (value === 1 ? [i] : []));
    expect(inside).toEqual([0, ...[2, 3, 4, 5].flatMap((y) => [2, 3, 4, 5].map((x) => 12 * y + x)), 95]);
  });

  test('polygons of one object that overlap are their union: no pixel counts twice', async () => {
    await writePng(image, { data: new Uint8Array(8 * 12 * 3), height: 8, width: 12 });
    const overlapping = { segmentation: [...SQUARE.segmentation, [4, 4, 9, 4, 9, 7, 4, 7]] };
    const { targets } = await sampleOf(requestWith([overlapping]), 1);
    const data = targets[0]?.mask?.data ?? new Uint8Array();
    expect(new Set(data)).toEqual(new Set([0, 1]));
    // 4 × 4 and 3 × 5 pixels, of which 2 × 2 are in both.
    expect(data.reduce((sum, value) => sum + value, 0)).toBe(16 + 15 - 4);
  });

  const bad: [string, () => ReferRequest, RegExp][] = [
    [
      'a polygon without points',
      () => requestWith([{ segmentation: [[]], origin: 'annotation 5 of x.json' }]),
      /a sample of own, .*image\.png, the expression "thing 0": annotation 5 of x\.json has no polygon/,
    ],
    [
      'an annotation that does not exist',
      () => requestWith([{ segmentation: undefined, origin: 'annotation 5 of x.json' }]),
      /annotation 5 of x\.json does not exist/,
    ],
    [
      'a malformed segmentation',
      () => requestWith([{ segmentation: { size: [1, 1], counts: [1] }, origin: 'annotation 5 of x.json' }]),
      /image\.png.*annotation 5 of x\.json: .*size \[1,1\]/,
    ],
    ['a PNG that is missing', () => requestWith([{ png: join(scratch, 'no.png') }]), /no\.png/],
    ['an empty expression', () => ({ ...requestWith(), expressions: [{ text: ' . ', masks: [SQUARE] }] }), /is empty/],
    ['a missing image', () => ({ ...requestWith([SQUARE]), image: join(scratch, 'gone.jpg') }), /gone\.jpg/],
    [
      'an image of another size',
      () => ({ ...requestWith([SQUARE]), image: dataset.images[0]?.path ?? '' }),
      /000100\.jpg: it has 120 × 90 pixels, its annotations are for 12 × 8/,
    ],
  ];
  test.each(bad)('says where %s is', async (_, request, message) => {
    const made = taught(makeReferSample)(request(), new Random(1), options);
    await expect(made).rejects.toThrow(UserError);
    await expect(made).rejects.toThrow(message);
  });
});
