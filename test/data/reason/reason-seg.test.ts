/** ReasonSeg: what is in its folders, its masks, and samples with and without explanations. Evaluation: expected-val. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

import { afterAll, describe, expect, test } from '@jest/globals';

import { EXPLANATION_REQUESTS } from '../../../src/systems/gsva/prompts.js';
import { ANSWERS, LONG_QUESTIONS, SHORT_QUESTIONS } from '../../../src/systems/shared/lisa-prompts.js';
import {
  makeReasonSample,
  openReasonSeg,
  readReasonAnnotation,
  reasonMasks,
  type ReasonRequest,
  referenceReasonMask,
} from '../../../src/data/reason/reason-seg.js';
import { UserError } from '../../../src/errors.js';
import { Random } from '../../../src/random.js';
import type { BinaryMask } from '../../../src/types.js';
import { chiSquare, criticalValue } from '../../helpers/chi-square.js';
import { fixture } from '../../helpers/fixtures.js';
import type { Lesson } from '../../../src/data/facts.js';
import { taught, type TaughtSample } from '../../helpers/taught-sample.js';

const dataDir = fixture('datasets', 'data');
const scratch = mkdtempSync(join(tmpdir(), 'gsva-reason-seg-'));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

/** A copy of the miniature that may be changed; `folder` is ReasonSeg's. */
function copied(): { dir: string; folder: string } {
  const dir = mkdtempSync(join(scratch, 'data-'));
  cpSync(join(dataDir, 'reason_seg'), join(dir, 'reason_seg'), { recursive: true });
  return { dir, folder: join(dir, 'reason_seg', 'ReasonSeg') };
}

let files = 0;
function annotationFile(value: unknown): string {
  const path = join(scratch, `${files++}.json`);
  writeFileSync(path, typeof value === 'string' ? value : JSON.stringify(value));
  return path;
}

function box(label: string, x0: number, y0: number, x1: number, y1: number): { label: string; points: number[][] } {
  return {
    label,
    points: [
      [x0, y0],
      [x1, y0],
      [x1, y1],
      [x0, y1],
    ],
  };
}

function rows({ data, width }: BinaryMask): string[] {
  return Array.from({ length: data.length / width }, (_, y) => data.slice(y * width, (y + 1) * width).join(''));
}

function requestsOf(set: ReturnType<typeof openReasonSeg>): ReasonRequest[] {
  return Array.from({ length: set.length }, (_, i) => set.requestAt(i));
}

describe('openReasonSeg', () => {
  test('lists pictures by name, with the explanations of train', () => {
    const set = openReasonSeg(dataDir, 'train');
    expect(requestsOf(set).map(({ image, explanation }) => [basename(image), explanation])).toEqual([
      ['train_0.jpg', 'It is round, so it rolls.'],
      ['train_1.jpg', null],
      ['train_2.jpg', null],
    ]);
    const val = requestsOf(openReasonSeg(dataDir, 'val')).map(({ image }) => basename(image));
    expect(val).toEqual(['val_3.jpg', 'val_4.jpg']);
    expect([set.name, set.kind, set.length]).toEqual(['ReasonSeg', 'reason_seg', 3]);
    const request = set.requestAt(0);
    expect(structuredClone(request)).toEqual(request);
    expect(request).toMatchObject({ kind: 'reason_seg', explanation: 'It is round, so it rolls.' });
    expect(() => set.requestAt(3)).toThrow(RangeError);
  });

  test('texts in cp1252 are read as the others are', () => {
    const [first, second] = requestsOf(openReasonSeg(dataDir, 'train')).map(({ annotation }) =>
      readReasonAnnotation(annotation),
    );
    expect(second?.texts).toEqual(['which shape would roll down a hill – résumé?', 'the round thing']);
    expect(second?.texts).toEqual(first?.texts);
    expect(second?.isSentence).toBe(true);
  });

  test('says what is missing', () => {
    const { dir, folder } = copied();
    rmSync(join(folder, 'val', 'val_4.json'));
    expect(() => openReasonSeg(dir, 'val')).toThrow(/val_4\.json is missing next to val_4\.jpg/);
    rmSync(join(folder, 'train', 'train_1.json'));
    // In training the sample is bad, not the set.
    expect(openReasonSeg(dir, 'train')).toHaveLength(3);
    writeFileSync(join(folder, 'explanatory', 'train.json'), '[{"image": "train_0.jpg"}]');
    expect(() => openReasonSeg(dir, 'train')).toThrow(/\[0\] of .*train\.json .*key "outputs"/);
    rmSync(join(folder, 'explanatory'), { recursive: true });
    expect(() => openReasonSeg(dir, 'train')).toThrow(/explanatory.*missing/);
    rmSync(join(folder, 'test'), { recursive: true });
    expect(() => openReasonSeg(dir, 'test')).toThrow(/test is missing/);
  });
});

describe('annotations', () => {
  const shapes = [
    box('target', 5, 1, 6, 2),
    box('Ignore this', 1, 1, 3, 3),
    box('target', 2, 2, 2, 2),
    box('flag', 0, 0, 7, 4),
  ];

  test('smaller shapes lie over larger ones; ignored regions are apart, and target for the reference', () => {
    const path = annotationFile({ shapes, text: ['x'], is_sentence: false });
    const masks = reasonMasks(readReasonAnnotation(path), 5, 8);
    expect(rows(masks.target)).toEqual(['00000000', '00000110', '00100110', '00000000', '00000000']);
    expect(rows(masks.ignored)).toEqual(['00000000', '01110000', '01010000', '01110000', '00000000']);
    expect(rows(referenceReasonMask(masks))).toEqual(['00000000', '01110110', '01110110', '01110000', '00000000']);
  });

  test('of shapes of one size the first lies on top, as in the reference', () => {
    const same = [box('target', 1, 1, 2, 2), box('ignore', 2, 1, 3, 2)];
    const masks = reasonMasks(
      readReasonAnnotation(annotationFile({ shapes: same, text: ['x'], is_sentence: true })),
      3,
      5,
    );
    expect(rows(masks.target)).toEqual(['00000', '01100', '01100']);
    expect(rows(masks.ignored)).toEqual(['00000', '00010', '00010']);
  });

  const good = { shapes, text: ['x'], is_sentence: true };
  const wrong: [string, unknown, RegExp][] = [
    ['no JSON', '{"shapes": [', /cannot be read as JSON/],
    ['no texts', { ...good, text: [] }, /text of .*\.json is a list of 0; expected at least one text/],
    ['an empty text', { ...good, text: ['x', ' '] }, /text\[1\] of .*expected a text that asks/],
    ['no is_sentence', { ...good, is_sentence: 1 }, /is_sentence of .* is 1; expected true or false/],
    [
      'a shape without points',
      { ...good, shapes: [{ label: 'target', points: [] }] },
      /shapes\[0\]\.points .*one point/,
    ],
    ['a point of three', { ...good, shapes: [{ label: 'target', points: [[1, 2, 3]] }] }, /points\[0\] .*\[x, y\]/],
    ['a label that is none', { ...good, shapes: [{ label: 1, points: [] }] }, /shapes\[0\]\.label .*expected a text/],
  ];
  test.each(wrong)('refused with %s', (_, value, message) => {
    const path = annotationFile(value);
    expect(() => readReasonAnnotation(path)).toThrow(UserError);
    expect(() => readReasonAnnotation(path)).toThrow(message);
  });

  test('a shape that cannot be drawn is refused with its file', () => {
    const path = annotationFile({ ...good, shapes: [box('target', 0, 0, 1e9, 5)] });
    expect(() => reasonMasks(readReasonAnnotation(path), 5, 5)).toThrow(new RegExp(`ReasonSeg: ${path}: .*1000000000`));
  });
});

describe('makeReasonSample', () => {
  const [explained, plain] = ['train_0', 'train_1'].map((_, i) => {
    return openReasonSeg(dataDir, 'train').requestAt(i);
  }) as [ReasonRequest, ReasonRequest];
  const annotation = readReasonAnnotation(plain.annotation);

  async function sampleOf(request: ReasonRequest, seed: number, perSample = 3): Promise<TaughtSample> {
    const sample = await taught(makeReasonSample)(request, new Random(seed), { perSample, absentClasses: 0 });
    if (sample === null) throw new Error('no sample');
    return sample;
  }
  const conversations = ({ turns, targets, others = [] }: TaughtSample): Lesson[] => {
    return [{ turns, targets }, ...others];
  };
  const turnOf = ({ turns }: Lesson): { user: string; assistant: string } => {
    expect(turns).toHaveLength(1);
    return { user: turns[0]?.user ?? '', assistant: turns[0]?.assistant ?? '' };
  };

  test('each text is a conversation of its own, with the same mask, without what is to be ignored', async () => {
    const sample = await sampleOf(plain, 1);
    const { height, width } = await sample.image();
    const { target } = reasonMasks(annotation, height, width);
    const found = conversations(sample);
    expect(found).toHaveLength(2);
    for (const [i, conversation] of found.entries()) {
      const text = annotation.texts[i] ?? '';
      expect(conversation.targets).toEqual([{ text, mask: target }]);
      const { user, assistant } = turnOf(conversation);
      expect(LONG_QUESTIONS.map((form) => `<image>\n${form.replace('{}', text)}`)).toContain(user);
      expect(ANSWERS).toContain(assistant);
    }
    expect(target.data).not.toEqual(referenceReasonMask(reasonMasks(annotation, height, width)).data);
  });

  test('phrases are asked within a question, in lower case', async () => {
    const path = annotationFile({ shapes: [box('target', 1, 1, 9, 9)], text: ['The Round thing'], is_sentence: false });
    const { user } = turnOf(await sampleOf({ ...plain, annotation: path }, 1));
    expect(SHORT_QUESTIONS.map((form) => `<image>\n${form.replace('{}', 'the round thing')}`)).toContain(user);
  });

  test('draws up to so many texts, all as often', async () => {
    const counts = new Map(annotation.texts.map((text) => [text, 0]));
    for (let seed = 0; seed < 400; seed++) {
      const sample = await sampleOf(plain, seed, 1);
      expect(sample.others).toBeUndefined();
      const text = sample.targets[0]?.text ?? '';
      counts.set(text, (counts.get(text) ?? NaN) + 1);
    }
    expect(chiSquare([...counts.values()], [1, 1])).toBeLessThan(criticalValue(1));
  });

  test('an explained image is answered by mask, mask and explanation, or, one in ten, the explanation', async () => {
    const why = explained.explanation ?? '';
    const counts = { mask: 0, both: 0, explanation: 0 };
    const requests = new Set<string>();
    for (let seed = 0; seed < 1000; seed++) {
      const found = conversations(await sampleOf(explained, seed)).map((conversation) => {
        const { user, assistant } = turnOf(conversation);
        const [text = ''] = annotation.texts.filter((each) => user.startsWith(`<image>\n${each}`));
        if (assistant === why) {
          expect(conversation.targets).toEqual([]);
          expect(user).toBe(`<image>\n${text}`);
          return 'explanation';
        }
        expect(conversation.targets).toHaveLength(1);
        if (!assistant.endsWith(why)) return 'mask';
        expect(ANSWERS.map((answer) => `${answer} ${why}`)).toContain(assistant);
        requests.add(user.slice(`<image>\n${text} `.length));
        return 'both';
      });
      expect(new Set(found).size).toBe(1);
      counts[found[0] as keyof typeof counts]++;
    }
    expect(chiSquare(Object.values(counts), [0.45, 0.45, 0.1])).toBeLessThan(criticalValue(2));
    expect([...requests].sort()).toEqual([...EXPLANATION_REQUESTS].sort());
  });

  test('the same seed gives the same sample', async () => {
    const [first, again] = [await sampleOf(explained, 7), await sampleOf(explained, 7)];
    expect({ ...first, image: await first.image() }).toEqual({ ...again, image: await again.image() });
  });

  test('a bad sample is named', async () => {
    const made = (change: Partial<ReasonRequest>): Promise<unknown> => sampleOf({ ...plain, ...change }, 1);
    await expect(made({ image: join(scratch, 'gone.jpg') })).rejects.toThrow(/gone\.jpg/);
    await expect(made({ annotation: join(scratch, 'gone.json') })).rejects.toThrow(/gone\.json/);
    const ignored = annotationFile({ shapes: [box('ignore', 1, 1, 9, 9)], text: ['x'], is_sentence: true });
    await expect(made({ annotation: ignored })).rejects.toThrow(UserError);
    await expect(made({ annotation: ignored })).rejects.toThrow(
      /no shape of .*\.json leaves a target in .*train_1\.jpg/,
    );
    const cut = join(scratch, 'cut.jpg');
    writeFileSync(cut, readFileSync(plain.image).subarray(0, 400));
    await expect(made({ image: cut })).rejects.toThrow(/cut\.jpg/);
  });
});
