/** Published figures stand only next to a run of the published images, expressions and rules; otherwise a line says why. */
import { describe, expect, test } from '@jest/globals';
import type { ImageRecord, RecordedResult } from '../../../src/evaluation/records/record-types.js';
import type { RecordFile, RecordHeader } from '../../../src/evaluation/records/record.js';
import { askedForms } from '../../../src/evaluation/report/asked-forms.js';
import {
  type MeasuredSet,
  measuredSet,
  measuredWords,
  publishedSplit,
} from '../../../src/evaluation/report/measured-set.js';
import { publicationOf } from '../../../src/evaluation/report/published-tables.js';
import { GsvaDialogue } from '../../../src/systems/gsva/dialogue.js';
import { GSVA_VARIANT } from '../../../src/systems/shared/variant.js';
import { headerFor, recordFor } from '../random-run.js';

const DIALOGUE = new GsvaDialogue(GSVA_VARIANT);

type File = Pick<RecordFile, 'header' | 'images'>;

const QUESTION = '<image>\n What are {}in this image? Please output segmentation masks.';

/** A run with as many images and expressions as the split has, as COCO names them. */
function runOf(
  dataset: string,
  split: string,
  images: number,
  expressions: number,
  more: Partial<RecordHeader> = {},
  name = (place: number): string => `COCO_train2014_${String(place * 7 + 1).padStart(12, '0')}.jpg`,
): File {
  const header = headerFor(images, { dataset, split, protocols: ['reference'], ...more });
  const all = Array.from({ length: images }, (_, place): ImageRecord => {
    const count = Math.floor(((place + 1) * expressions) / images) - Math.floor((place * expressions) / images);
    const fileName = name(place);
    const texts = Array.from({ length: count }, (_, index) => `thing ${index}`);
    return {
      image: place,
      imageId: place,
      fileName,
      height: 100,
      width: 200,
      seconds: 1,
      date: '2026-01-02T03:04:05.000Z',
      replies: header.protocols.map((protocol) => ({
        protocol,
        question: QUESTION.replace('{}', texts.join(', ')),
        answer: `Sure,${texts.map((text) => `${text}:[SEG]`).join(', ')}.`,
      })),
      faults: null,
      refused: [],
      records: header.protocols.flatMap((protocol) =>
        texts.map((expression, index) => recordFor({ imageId: place, fileName, expression, index }, protocol)),
      ),
    };
  });
  return { header, images: all };
}

const RESULT = {
  protocol: 'reference',
  figures: { gIoU: 0.5, cIoU: 0.25, 'Prec@0.5': 0.125 },
} as unknown as RecordedResult;
const STRICT = { ...RESULT, protocol: 'strict' } as RecordedResult;

function measured({ header, images }: File, total: number, data: string): MeasuredSet {
  const all = Array.from({ length: total }, (_, i) => images[i % images.length] as ImageRecord);
  return measuredSet(header, images.length, all, data);
}

function publication(file: File, total = file.images.length, results = [RESULT]) {
  return publicationOf(file, measured(file, total, 'data'), results, DIALOGUE);
}

/** The smallest split with a table. */
const REASON = (more: Partial<RecordHeader> = {}): File =>
  runOf('reason_seg', 'val', 200, 200, { benchmark: 'reason', ...more });

describe('a run of the published split', () => {
  test('stands below the published rows, with the figures of reference alone', () => {
    const file = runOf('refcoco+', 'testA', 750, 5726, { benchmark: 'res', protocols: ['strict', 'reference'] });
    const { tables, whyNone } = publication(file, 750, [STRICT, RESULT]);
    expect(whyNone).toBeNull();
    expect(tables.map(({ title }) => title)).toEqual(['Table 2 (cIoU)', 'Table 3 (Prec@0.5)']);
    const ours = tables[0]?.rows.filter(({ isOurs }) => isOurs).map(({ cells }) => cells);
    expect(ours).toEqual([['this run, reference', ...Array(4).fill('–'), '25.00', ...Array(3).fill('–')]]);
    expect(tables[1]?.rows.at(-1)?.cells[5]).toBe('12.50');
    expect(tables[0]?.head[5]).toBe('refcoco+ testA cIoU');
    expect(tables[0]?.note).toContain('all 750 images of refcoco+ testA and its 5,726 expressions');
  });

  test('gRefCOCO has Table 1 as published, Table 6 where it was asked so', () => {
    const all = (more: Partial<RecordHeader> = {}): File => runOf('grefcoco', 'testB', 750, 14_933, more);
    expect(publication(all()).tables.map(({ title }) => title)).toEqual(['Table 1']);
    const val = runOf('grefcoco', 'val', 1500, 16_870, { question: 'where' });
    const { tables } = publication(val);
    expect(tables.map(({ title }) => title)).toEqual(['Table 6']);
    expect(tables[0]?.rows.at(-1)?.cells).toEqual(['this run, "where", reference', '50.00', '25.00', '–']);
    expect(publication(all({ question: 'where' })).whyNone).toMatch(/no figures on grefcoco testB/);
  });

  test('by the rules of one pass it stands in the tables of SELF1E', () => {
    const res = publication(runOf('refcocog', 'val', 1300, 4896, { benchmark: 'one-pass-res' }));
    expect(res.whyNone).toBeNull();
    expect(res.tables.map(({ title }) => title)).toEqual([
      'SELF1E, RES (cIoU)',
      'SELF1E, Table 10 (cIoU)',
      'SELF1E, Table 11 (cIoU)',
    ]);
    expect(res.tables[0]?.rows.at(-1)?.cells[7]).toBe('25.00');
    expect(res.tables[0]?.rows.at(-2)?.cells[7]).toBe('82.10');
    const left = publication(REASON({ benchmark: 'one-pass-reason', honourIgnore: true }));
    expect(left.tables.map(({ title }) => title)).toEqual(['SELF1E, ReasonSeg']);
    expect(publication(REASON({ benchmark: 'one-pass-reason' })).whyNone).toMatch(/as published they are left out/);
    const none = publication(runOf('grefcoco', 'testB', 750, 14_933, { benchmark: 'one-pass-gres' }));
    expect(none.whyNone).toMatch(/no figures on grefcoco testB/);
  });

  test('where nobody counted the expressions, the note says that they were not compared', () => {
    const names = (place: number): string => `ADE_val_${String(place + 1).padStart(8, '0')}.jpg`;
    const { tables } = publication(runOf('ade20k', 'validation', 2000, 4000, { benchmark: 'sem-seg' }, names));
    expect(tables[0]?.note).toMatch(/how many expressions it has is not published and was not compared/);
    expect(publication(REASON()).tables.map(({ title }) => title)).toEqual(['Table 5']);
  });

  test('expressions of all splits add up to what is published of the whole', () => {
    const sum = (dataset: string, splits: string[]): number =>
      splits.reduce((total, split) => total + (publishedSplit(dataset, split)?.expressions ?? NaN), 0);
    expect(sum('refcoco', ['val', 'testA', 'testB'])).toBe(142_209 - 120_624 + 1); // one more than in TFDS's total
    expect(sum('refcoco+', ['val', 'testA', 'testB'])).toBe(21_373);
    expect(sum('refcocog', ['val', 'test'])).toBe(14_498);
    expect(sum('grefcoco', ['val', 'testA', 'testB'])).toBe(259_859 - 209_344);
  });
});

describe('any other run', () => {
  const change = (file: File, place: number, more: Partial<ImageRecord>): File => ({
    ...file,
    images: file.images.map((image, i) => (i === place ? { ...image, ...more } : image)),
  });
  const REFUSED = { index: 0, expression: 'x', reason: 'cannot be asked', message: '' } as const;
  const drawn = (place: number): string => `COCO_train2014_${String(2_000_000 + place).padStart(12, '0')}.jpg`;
  const val = runOf('refcoco', 'val', 1500, 10_834, { benchmark: 'res' });

  test.each([
    ['drawn scenes', runOf('grefcoco', 'val', 1500, 16_870, {}, drawn), 1500, /drawn scenes of the embedded benchmark/],
    ['own data', runOf('own', 'val', 3, 9), 3, /one’s own/],
    ['a limit', runOf('reason_seg', 'val', 100, 100, { benchmark: 'reason' }), 200, /only the first 100 of 200 images/],
    [
      'too few images',
      runOf('grefcoco', 'val', 12, 40),
      12,
      /12 images were measured, grefcoco val as published has 1,500/,
    ],
    ['a shard', REASON({ shard: { index: 0, count: 2 } }), 200, /shard 0 of 2 alone/],
    ['an unfinished run', REASON({ images: 201 }), 200, /not finished \(200 of 201 images\)/],
    ['a refused expression', change(REASON(), 3, { refused: [REFUSED] }), 200, /1 expressions were left out/],
    ['a refused image', change(REASON(), 3, { refused: [{ ...REFUSED, index: null }] }), 200, /1 images and 0/],
    ['an image twice', change(REASON(), 3, { imageId: 4 }), 200, /an image occurs twice/],
    ['other names', change(val, 3, { fileName: 'cat.jpg' }), 1500, /cat\.jpg is not a name of the published images/],
    [
      'too many expressions',
      runOf('refcoco', 'val', 1500, 10_835, { benchmark: 'res' }),
      1500,
      /10,835 expressions.*10,834/,
    ],
    ['another protocol', REASON({ protocols: ['strict'] }), 200, /this run has strict/],
    ['a threshold', REASON({ rejectThreshold: 0.25 }), 200, /threshold of \[REJ\] was set \(0\.25\)/],
    ['minimum pixels', REASON({ minimumPixels: 50 }), 200, /fewer than 50 pixels/],
    ['ignored regions', REASON({ honourIgnore: true }), 200, /ignored regions were left out/],
    [
      'other words',
      change(val, 3, {
        replies: [{ protocol: 'reference', question: 'Where is thing 0?', answer: 'Sure,thing 0:[SEG].' }],
      }),
      1500,
      /asked in other words/,
    ],
    ['a split that the paper does not have', runOf('grefcoco', 'train', 5, 5), 5, /no figures on grefcoco train/],
  ] as const)('%s: no table, and the reason', (_, file, total, reason) => {
    const { tables, whyNone } = publication(file, total);
    expect(tables).toEqual([]);
    expect(whyNone).toMatch(reason);
    expect(whyNone).toMatch(/^No table of the paper is shown: /);
  });

  test('its title says what was measured', () => {
    const words = (file: File, total: number): string => measuredWords(measured(file, total, 'runs/mine.jsonl'));
    expect(words(runOf('grefcoco', 'val', 12, 40, {}, drawn), 12)).toBe(
      '12 drawn images of the embedded benchmark, val',
    );
    expect(words(runOf('grefcoco', 'val', 12, 40, {}, drawn), 300)).toBe(
      'the first 12 of 300 drawn images of the embedded benchmark, val',
    );
    expect(words(runOf('refcoco', 'val', 1, 4, {}, drawn), 1)).toBe(
      '1 drawn image of the embedded benchmark in the layout of refcoco, val',
    );
    expect(words(runOf('grefcoco', 'val', 100, 400), 1500)).toBe('the first 100 of 1,500 images of grefcoco val');
    expect(words(val, 1500)).toBe('1,500 images of refcoco val');
    expect(words(runOf('own', 'test', 40, 40), 40)).toBe('40 images of mine.jsonl, test');
  });
});

describe('in which words it was asked', () => {
  const asked = (question: string, answer: string, protocol: 'reference' | 'strict' | 'generate'): string => {
    const file = runOf('grefcoco', 'val', 1, 2, { protocols: [protocol] });
    const images = file.images.map((image) => ({ ...image, replies: [{ protocol, question, answer }] }));
    return askedForms({ ...file, images }, DIALOGUE)
      .map(([, sentence]) => sentence)
      .join();
  };

  test('the published form, with its missing space, is told from that of training', () => {
    const list = 'thing 0, thing 1';
    const answer = 'Sure,thing 0:[REJ], thing 1:[SEG].';
    expect(asked(QUESTION.replace('{}', list), answer, 'reference')).toBe(
      '“What are {}in this image? Please output segmentation masks.”, answered “Sure,{}:[SEG] …” (as published)',
    );
    const trained = `<image>\nWhat are ${list} in this image? Please output segmentation masks.`;
    expect(asked(trained, 'Sure, they are thing 0:[SEG], thing 1:[SEG].', 'strict')).toBe(
      '“What are {} in this image? Please output segmentation masks.”, answered “Sure, they are {}:[SEG] …” (a form of training)',
    );
    expect(asked(trained, answer, 'strict')).toMatch(/\(Table 6, what\)$/);
    expect(asked(trained, 'anything', 'generate')).toMatch(/^“[^”]*” \(a form of training\)$/);
    expect(asked('Find thing 0 and thing 1', 'Sure.', 'strict')).toBe('“Find {}”, answered “Sure. …” (another form)');
  });
});
