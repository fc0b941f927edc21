/** One line of own data: what it may say, what is refused and how; nothing hostile gets past as another error. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { encodeMask, rleToString } from '../../../src/data/masks/coco-mask.js';
import { parseOwnLine, type OwnRecord } from '../../../src/data/own/own-data-line.js';
import { UserError } from '../../../src/errors.js';
import { mutationsOf } from '../../helpers/json-mutations.js';

const PLACE = 'data.jsonl, line 17';
const SQUARE = [1, 1, 5, 1, 5, 5, 1, 5];
const RLE = encodeMask({ data: Uint8Array.from([0, 1, 1, 0, 0, 1]), height: 2, width: 3 });

const parse = (json: unknown): OwnRecord => parseOwnLine(json, 17, '/set', PLACE);
const line = (changes: Record<string, unknown> = {}): Record<string, unknown> => ({
  image: 'images/1.jpg',
  expressions: [{ text: 'the cat', mask: { polygons: [SQUARE] } }],
  ...changes,
});
const withMask = (mask: unknown): Record<string, unknown> => line({ expressions: [{ text: 'the cat', mask }] });
const withText = (text: unknown): Record<string, unknown> => line({ expressions: [{ text, mask: null }] });

describe('parseOwnLine', () => {
  test('the shortest line', () => {
    expect(parse(line())).toEqual({
      line: 17,
      image: 'images/1.jpg',
      path: '/set/images/1.jpg',
      split: null,
      size: null,
      expressions: [{ text: 'the cat', masks: [{ segmentation: [SQUARE] }] }],
    });
  });

  test('everything that a line can say', () => {
    const counts = rleToString(RLE);
    const record = parse({
      image: '/else/where.png',
      width: 3,
      height: 2,
      split: 'val',
      info: { anything: [1, { at: 'all' }] },
      expressions: [
        { text: [' both cats. ', 'the cats'], mask: [{ polygons: [SQUARE, SQUARE] }, { png: 'masks/1.png' }] },
        { text: 'a', mask: { rle: { size: [2, 3], counts } }, info: null },
        { text: 'b', mask: { rle: { size: [2, 3], counts: [...RLE.counts] } } },
        { text: 'a dog', mask: null },
      ],
    });
    const cats = [{ segmentation: [SQUARE, SQUARE] }, { png: '/set/masks/1.png' }];
    expect(record).toEqual({
      line: 17,
      image: '/else/where.png',
      path: '/else/where.png',
      split: 'val',
      size: { height: 2, width: 3 },
      expressions: [
        { text: 'both cats', masks: cats },
        { text: 'the cats', masks: cats },
        { text: 'a', masks: [{ segmentation: { size: [2, 3], counts } }] },
        { text: 'b', masks: [{ segmentation: { size: [2, 3], counts: [...RLE.counts] } }] },
        { text: 'a dog', masks: [] },
      ],
    });
  });

  test.each<[string, unknown, RegExp]>([
    ['a list', [], /expected an object/],
    ['a number', 5, /expected an object/],
    ['null', null, /expected an object/],
    ['a misspelt key', line({ spilt: 'val' }), /unknown key "spilt"; did you mean "split"/],
    ['no image', line({ image: undefined }), /"image" is missing/],
    ['an image that is a number', line({ image: 5 }), /"image" is 5, expected a text/],
    ['an empty path', line({ image: ' ' }), /"image" is " ", expected the path/],
    ['a path that leads out', line({ image: 'a/../../b.jpg' }), /"image" .*inside the folder of this file/],
    ['a path with a zero byte', line({ image: 'a\0.jpg' }), /"image" .*the path of a file/],
    ['an unknown split', line({ split: 'dev' }), /"split" is "dev", expected one of "train", "val", "test"/],
    ['a width alone', line({ width: 5 }), /"height" is missing/],
    ['a width of 0', line({ width: 0, height: 5 }), /"width" is 0/],
    ['an absurd size', line({ width: 100_000, height: 100_000 }), /pixels/],
    ['no expressions', line({ expressions: [] }), /"expressions" is a list of 0, expected at least one/],
    ['expressions that are none', line({ expressions: ['cat'] }), /"expressions\[0\]" is "cat", expected an object/],
    ['a text that is a number', withText(7), /"expressions\[0\].text" is 7, expected a text/],
    ['no texts', withText([]), /text" is a list of 0/],
    ['an empty text', withText(' . '), /"expressions\[0\].text": .*is empty/],
    ['the second text empty', withText(['a', '']), /"expressions\[0\].text\[1\]": .*is empty/],
    ['a token in a text', withText('the [SEG] cat'), /contains \[SEG\], which is reserved/],
    ['two lines in a text', withText('a\nb'), /one line without control characters/],
    ['half a character', withText('a\ud800'), /one line without control characters/],
    ['an endless text', withText('a'.repeat(501)), /at most 500 characters/],
    ['a forgotten mask', line({ expressions: [{ text: 'cat' }] }), /key "mask" \(null where the thing is absent\)/],
    ['no masks', withMask([]), /mask" is a list of 0/],
    ['bare polygons', withMask([SQUARE]), /"expressions\[0\].mask\[0\]" is a list of 8, expected an object/],
    ['an unknown mask', withMask({ polygon: [SQUARE] }), /unknown key "polygon".*did you mean "polygons"/],
    ['two kinds in one', withMask({ polygons: [SQUARE], png: 'a.png' }), /one of the keys polygons, rle, png/],
    ['an empty mask', withMask({}), /one of the keys polygons, rle, png/],
    ['no polygons', withMask({ polygons: [] }), /polygons" is a list of 0, expected at least one/],
    ['a flat polygon', withMask({ polygons: SQUARE }), /polygons\[0\]" is 1, expected a list of numbers/],
    [
      'points as pairs',
      withMask({
        polygons: [
          [
            [1, 1],
            [5, 1],
          ],
        ],
      }),
      /polygons\[0\]\[0\]" is a list of 2, expected a number/,
    ],
    ['two points', withMask({ polygons: [[1, 1, 5, 5]] }), /three points or more/],
    ['an odd number', withMask({ polygons: [SQUARE, [1, 1, 5, 5, 3, 3, 3]] }), /polygons\[1\]" .*three points/],
    ['far away', withMask({ polygons: [[0, 0, 1e300, 0, 5, 5]] }), /within ±100000/],
    ['a size that is none', withMask({ rle: { size: [2], counts: [] } }), /size" .*\[height, width\]/],
    ['runs that do not fill it', withMask({ rle: { size: [2, 3], counts: [5] } }), /add up to 5/],
    ['runs of nothing', withMask({ rle: { size: [2, 3], counts: null } }), /"counts" is missing/],
    ['a torn encoding', withMask({ rle: { size: [2, 3], counts: 'z' } }), /"expressions\[0\].mask.rle": .*compressed/],
    ['a negative size', withMask({ rle: { size: [-2, -3], counts: [6] } }), /size is -2 × -3/],
    ['a PNG that leads out', withMask({ png: '../m.png' }), /mask.png" .*inside the folder/],
  ])('refuses %s, naming line and key', (_, json, message) => {
    const refused = (): unknown => parse(JSON.parse(JSON.stringify(json)));
    expect(refused).toThrow(UserError);
    expect(refused).toThrow(message);
    expect(refused).toThrow(/^data\.jsonl, line 17: /);
  });

  test('fuzz: a value in the place of another, whatever it is, is taken or refused with a UserError', () => {
    const whole = {
      ...line({ width: 3, height: 2, split: 'val' }),
      expressions: [
        { text: ['a', 'b'], mask: [{ polygons: [SQUARE] }, { png: 'm.png' }] },
        { text: 'c', mask: { rle: { size: [2, 3], counts: rleToString(RLE) } } },
      ],
    };
    fc.assert(
      fc.property(mutationsOf(whole), (json) => {
        try {
          expect(parse(json).line).toBe(17);
        } catch (error) {
          if (!(error instanceof UserError)) throw error;
          expect(error.message).toMatch(/^data\.jsonl, line 17: /);
          expect(error.message.length).toBeLessThan(1000);
        }
      }),
      { seed: 1, numRuns: 3000 },
    );
  });

  test('deep nesting is refused like any other wrong value', () => {
    const deep = (inside: string): unknown => JSON.parse(`${'['.repeat(200_000)}${inside}${']'.repeat(200_000)}`);
    const value = deep('1');
    expect(() => parse(value)).toThrow(/^data\.jsonl, line 17: /);
    expect(() => parse(withText(value))).toThrow(/"expressions\[0\].text\[0\]" is a list of 1/);
    expect(() => parse(withMask({ polygons: value }))).toThrow(UserError);
    expect(() => parse(withMask({ rle: { size: [2, 3], counts: value } }))).toThrow(UserError);
    expect(parse(line({ info: value })).line).toBe(17);
  });
});
