/** Files of own data: problems with their lines, splits, images on several lines, requests, masks, the thorough check. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import sharp from 'sharp';
import { encodeMask, rleToString } from '../../../src/data/masks/coco-mask.js';
import { checkOwnData, openOwnData } from '../../../src/data/own/own-data.js';
import { OwnProblems, readOwnFile } from '../../../src/data/own/own-data-file.js';
import type { ReferringImage } from '../../../src/data/refer/refer-dataset.js';
import { UserError } from '../../../src/errors.js';
import { encodePng, writeMaskPng } from '../../../src/io/image/image-file.js';
import { Random } from '../../../src/random.js';
import type { BinaryMask } from '../../../src/types.js';
import { randomImage } from '../../inference/tiny-predictor.js';

const [HEIGHT, WIDTH] = [12, 16];
const scratch = mkdtempSync(join(tmpdir(), 'gsva-own-'));
const file = join(scratch, 'data.jsonl');
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

beforeAll(async () => {
  mkdirSync(join(scratch, 'images'));
  for (const id of [1, 2, 3]) {
    writeFileSync(join(scratch, 'images', `${id}.png`), await encodePng(randomImage(HEIGHT, WIDTH, id)));
  }
});

const SQUARE = { polygons: [[2, 2, 8, 2, 8, 8, 2, 8]] };
const BAR = { polygons: [[10, 1, 14, 1, 14, 11, 10, 11]] };
const image = (id: number | string, expressions: unknown, more: Record<string, unknown> = {}): string =>
  JSON.stringify({ image: `images/${id}.png`, ...more, expressions });
const cat = { text: 'the cat', mask: SQUARE };
const dog = { text: 'A Dog', mask: null };

function write(...lines: string[]): string {
  writeFileSync(file, lines.join('\n'));
  return file;
}

async function problemsOf(...lines: string[]): Promise<string[]> {
  const problems = new OwnProblems(100);
  await readOwnFile(write(...lines), problems);
  return problems.first.map(({ message }) => message);
}

/** Pixels of rectangles [x0, y0, x1, y1), set. */
function filled(...boxes: readonly (readonly number[])[]): BinaryMask {
  const data = new Uint8Array(HEIGHT * WIDTH);
  for (const [x0 = 0, y0 = 0, x1 = 0, y1 = 0] of boxes) {
    for (let y = y0; y < y1; y++) data.fill(1, y * WIDTH + x0, y * WIDTH + x1);
  }
  return { data, height: HEIGHT, width: WIDTH };
}

describe('OwnData', () => {
  test('images in the order of the lines, with sizes from the files; masks are unions of all kinds', async () => {
    const rle = encodeMask(filled([0, 0, 3, 3]));
    await writeMaskPng(join(scratch, 'mask.png'), filled([5, 5, 9, 9]));
    const all = [SQUARE, { rle: { size: rle.size, counts: rleToString(rle) } }, { png: 'mask.png' }];
    const data = await openOwnData(
      write(
        image(2, [cat, dog]),
        '',
        image(1, [
          { text: ['All', 'everything'], mask: all },
          { text: 'bar', mask: BAR },
        ]),
      ),
      'train',
    );
    const texts = data.images.map(({ expressions }) => expressions.map(({ text }) => text));
    expect(texts).toEqual([
      ['the cat', 'A Dog'],
      ['All', 'everything', 'bar'],
    ]);
    expect(data.images.map(({ imageId }) => imageId)).toEqual([1, 3]);
    const [two, one] = data.images;
    expect(two).toMatchObject({ fileName: 'images/2.png', height: HEIGHT, width: WIDTH });
    expect(two?.expressions.map(({ isEmpty }) => isEmpty)).toEqual([false, true]);
    const [square, absent] = data.targets(two as ReferringImage);
    expect(square?.mask).toEqual(filled([2, 2, 8, 8]));
    expect(absent).toEqual({ expression: 'A Dog', isEmpty: true, mask: filled() });
    const union = filled([0, 0, 3, 3], [2, 2, 8, 8], [5, 5, 9, 9]);
    expect(data.targets(one as ReferringImage).map(({ mask }) => mask)).toEqual([
      union,
      union,
      filled([10, 1, 14, 11]),
    ]);
  });

  test('requests are plain data with paths to open', async () => {
    const data = await openOwnData(write(image(1, [cat, { text: 'x', mask: { png: 'mask.png' } }, dog])), 'train');
    expect([data.name, data.kind, data.length]).toEqual(['data.jsonl', 'refer_seg', 1]);
    expect(structuredClone(data.requestAt(0))).toEqual({
      kind: 'refer_seg',
      set: 'data.jsonl',
      image: join(scratch, 'images', '1.png'),
      height: HEIGHT,
      width: WIDTH,
      expressions: [
        { text: 'the cat', masks: [{ segmentation: SQUARE.polygons, origin: 'data.jsonl, line 1' }] },
        { text: 'x', masks: [{ png: join(scratch, 'mask.png') }] },
        { text: 'A Dog', masks: [] },
      ],
    });
    expect(() => data.requestAt(1)).toThrow(RangeError);
  });

  test('several lines about one image are one image', async () => {
    const data = await openOwnData(write(image(1, [cat]), image(2, [cat]), image(1, [dog])), 'train');
    expect(data.images.map(({ fileName, expressions }) => [fileName, expressions.length])).toEqual([
      ['images/1.png', 2],
      ['images/2.png', 1],
    ]);
  });

  test('splits: lines without one are of train; a file without any is of whatever split is asked for', async () => {
    const mixed = write(image(1, [cat]), image(2, [dog], { split: 'val' }), image(3, [cat], { split: 'val' }));
    const names = async (split: 'train' | 'val'): Promise<string[]> =>
      (await openOwnData(mixed, split)).images.map(({ fileName }) => fileName);
    expect(await names('train')).toEqual(['images/1.png']);
    expect(await names('val')).toEqual(['images/2.png', 'images/3.png']);
    await expect(openOwnData(mixed, 'test')).rejects.toThrow(/no line has "split": "test" \(train 1, val 2, test 0\)/);
    // As in the published sets, evaluated expressions are in lower case.
    expect((await openOwnData(mixed, 'val')).images[0]?.expressions[0]?.text).toBe('a dog');

    const plain = write(image(1, [dog]));
    for (const split of ['train', 'val', 'test'] as const) expect(await openOwnData(plain, split)).toHaveLength(1);
  });

  test('a byte order mark, carriage returns and blank lines are nothing special', async () => {
    writeFileSync(file, `\ufeff${image(1, [cat])}\r\n\r\n  \n${image(2, [dog])}\r\n`);
    expect((await openOwnData(file, 'train')).images.map(({ imageId }) => imageId)).toEqual([1, 4]);
  });

  test('with problems nothing is opened: the first are told with their lines, and how many there are', async () => {
    const bad = image(1, [{ text: '', mask: null }]);
    const opened = openOwnData(write(image(1, [cat]), ...Array<string>(5).fill(bad)), 'train');
    await expect(opened).rejects.toThrow(UserError);
    await expect(opened).rejects.toThrow(
      /line 2: .*line 3: .*line 4: .* And 2 more\. `node bin\/gsva\.js data validate .*data\.jsonl`/,
    );
    await expect(openOwnData(write(''), 'train')).rejects.toThrow(/no line in it/);
    await expect(openOwnData(join(scratch, 'none.jsonl'), 'train')).rejects.toThrow(/no file .*none\.jsonl/);
  });

  test('a mask file that does not fit is an error with line, image and size', async () => {
    await sharp(new Uint8Array(9), { raw: { width: 3, height: 3, channels: 1 } })
      .png()
      .toFile(join(scratch, 'other.png'));
    const data = await openOwnData(write('', image(1, [{ text: 'x', mask: { png: 'other.png' } }])), 'train');
    expect(() => data.targets(data.images[0] as ReferringImage)).toThrow(
      /line 2: images\/1\.png: .*other\.png: it has 3 × 3 pixels, the image 16 × 12/,
    );
  });
});

describe('readOwnFile', () => {
  test('problems carry the right numbers: JSON, UTF-8, format, missing images', async () => {
    expect(
      await problemsOf(
        image(1, [cat]),
        '{"image": "images/1.png", ',
        '',
        image('none', [cat]),
        'null',
        image(2, [{ text: 'x', mask: SQUARE, maks: 1 }]),
        image(3, [dog]),
      ),
    ).toEqual([
      expect.stringMatching(/^data\.jsonl, line 2: not valid JSON \(.* at column 27\); each line holds one object/),
      expect.stringMatching(/^data\.jsonl, line 4: Cannot read .*none\.png as an image: there is no such file/),
      expect.stringMatching(/^data\.jsonl, line 5: expected an object/),
      expect.stringMatching(/^data\.jsonl, line 6: unknown key "maks" in "expressions\[0\]"; did you mean "mask"/),
    ]);
  });

  test('what contradicts an earlier line: split, size, there and not there; encodings of another size', async () => {
    const rle = { rle: { size: [3, 3], counts: [9] } };
    expect(
      await problemsOf(
        image(1, [cat], { width: WIDTH, height: HEIGHT }),
        image(1, [dog], { split: 'val' }),
        image(1, [dog], { width: WIDTH, height: HEIGHT + 1 }),
        image(1, [{ text: 'THE cat', mask: null }]),
        image(2, [{ text: 'x', mask: rle }]),
      ),
    ).toEqual([
      'data.jsonl, line 2: images/1.png: it is in the split "val" here and in "train" on line 1.',
      'data.jsonl, line 3: images/1.png: it is 16 × 13 (width × height) here and 16 × 12 (width × height) on an earlier line.',
      'data.jsonl, line 4: images/1.png: "THE cat" has a mask and is null, too.',
      'data.jsonl, line 5: images/2.png: an encoding is of size [3, 3], the image of [12, 16] ([height, width]).',
    ]);
  });

  test('fuzz: bytes changed anywhere give images or problems, never another error', async () => {
    const whole = Buffer.from(
      [image(1, [cat, dog], { split: 'val' }), image(2, [{ ...cat, mask: [SQUARE, BAR] }])].join('\r\n'),
    );
    const change = fc.tuple(fc.nat(whole.length - 1), fc.nat(255));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), fc.boolean(), async (changes, insert) => {
        let bytes = Buffer.from(whole);
        for (const [at, byte] of changes) {
          if (insert) bytes = Buffer.concat([bytes.subarray(0, at), Buffer.from([byte]), bytes.subarray(at)]);
          else bytes[at] = byte;
        }
        writeFileSync(file, bytes);
        const problems = new OwnProblems(10);
        const { images } = await readOwnFile(file, problems);
        expect(images.length + problems.total).toBeGreaterThan(0);
        const lineCount = bytes.toString('latin1').split('\n').length;
        for (const { line, message } of problems.first) {
          expect(line).toBeLessThanOrEqual(lineCount);
          expect(message).toMatch(new RegExp(`^data\\.jsonl, line ${line}: `));
        }
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  test('100,000 lines about one image, and one of 40 MB, take no more than lines do', async () => {
    const lines = Array.from({ length: 100_000 }, (_, i) => image(1, [{ text: `cat ${i}`, mask: null }]));
    const problems = new OwnProblems(5);
    const { images } = await readOwnFile(write(...lines, 'x'.repeat(40_000_000), image(2, [dog])), problems);
    expect(images.map(({ expressions }) => expressions.length)).toEqual([100_000, 1]);
    expect(problems.first).toEqual([
      { line: 100_001, message: expect.stringMatching(/line 100001: it has 40000000 bytes/) },
    ]);
  });
});

describe('checkOwnData', () => {
  test('counts by split: images, expressions, of several parts, absent', async () => {
    const both = { text: 'both', mask: [SQUARE, BAR] };
    write(
      image(1, [cat, dog, both]),
      image(2, [dog], { split: 'val' }),
      image(3, [{ ...both, mask: { polygons: [...SQUARE.polygons, ...BAR.polygons] } }]),
    );
    const { splits, problems } = await checkOwnData(file, 10);
    expect(problems.total).toBe(0);
    expect(splits).toEqual([
      { split: 'train', images: 2, expressions: 4, multiPart: 2, absent: 1 },
      { split: 'val', images: 1, expressions: 1, multiPart: 0, absent: 1 },
    ]);
  });

  test('what only a look at images and masks shows, in the order of the lines', async () => {
    await writeMaskPng(join(scratch, 'black.png'), filled());
    writeFileSync(join(scratch, 'images', 'torn.png'), 'not an image');
    write(
      image(1, [cat], { width: WIDTH + 1, height: HEIGHT }),
      image('none', [cat], { width: WIDTH, height: HEIGHT }),
      image(2, [
        { text: 'beside', mask: { polygons: [[100, 100, 110, 100, 110, 110]] } },
        { text: 'black', mask: { png: 'black.png' } },
        { text: 'gone', mask: { png: 'gone.png' } },
      ]),
      image('torn', [cat], { width: WIDTH, height: HEIGHT }),
      '{',
      image(3, [cat]),
    );
    const { splits, problems } = await checkOwnData(file, 6);
    expect(problems.total).toBe(7);
    expect(problems.first.map(({ message }) => message)).toEqual([
      'data.jsonl, line 1: images/1.png: it has 16 × 12 pixels, the line says 17 × 12 (width × height); use the picture that was annotated.',
      expect.stringMatching(/^data\.jsonl, line 2: images\/none\.png: .*no such file/),
      'data.jsonl, line 3: images/2.png: the mask of "beside" has no pixel inside the image; null says "not here".',
      'data.jsonl, line 3: images/2.png: the mask of "black" has no pixel inside the image; null says "not here".',
      expect.stringMatching(
        /^data\.jsonl, line 3: images\/2\.png: "gone": .*Cannot read .*gone\.png as a mask: there is no such file/,
      ),
      expect.stringMatching(/^data\.jsonl, line 4: images\/torn\.png: /),
    ]);
    expect(splits).toEqual([{ split: 'train', images: 1, expressions: 1, multiPart: 0, absent: 0 }]);
  });

  test('several lines about one image: each problem is on its own line, blank lines counted', async () => {
    const beside = { text: 'beside', mask: { polygons: [[100, 100, 110, 100, 110, 110]] } };
    const size = { width: WIDTH, height: HEIGHT };
    write(
      image(1, [cat]),
      '',
      image(2, [cat]),
      '   ',
      image(1, [beside, dog]),
      image(2, [dog], { width: WIDTH + 1, height: HEIGHT }),
      image(3, [cat], size),
      image(3, [{ text: 'other', mask: { rle: { size: [HEIGHT + 1, WIDTH], counts: [(HEIGHT + 1) * WIDTH] } } }]),
    );
    const { problems } = await checkOwnData(file, 10);
    expect(problems.first.map(({ line, message }) => [line, message])).toEqual([
      [5, expect.stringMatching(/^data\.jsonl, line 5: images\/1\.png: the mask of "beside" has no pixel/)],
      [6, expect.stringMatching(/^data\.jsonl, line 6: images\/2\.png: it has 16 × 12 pixels, the line says 17 × 12/)],
      [8, expect.stringMatching(/^data\.jsonl, line 8: images\/3\.png: an encoding is of size \[13, 16\]/)],
    ]);
  });

  test('the problems that are kept are those of the first lines, whichever are found first', async () => {
    const beside = { text: 'beside', mask: { polygons: [[100, 100, 110, 100, 110, 110]] } };
    write(image(1, [beside]), '{', '[]', image(2, [cat]));
    const { problems } = await checkOwnData(file, 2);
    expect([problems.total, problems.first.map(({ line }) => line)]).toEqual([3, [1, 2]]);
  });

  test('property: what is encoded in any of the four ways comes back to the pixel', async () => {
    const random = new Random(1);
    for (let i = 0; i < 20; i++) {
      const mask: BinaryMask = {
        data: Uint8Array.from({ length: HEIGHT * WIDTH }, () => random.integer(2)),
        height: HEIGHT,
        width: WIDTH,
      };
      await writeMaskPng(join(scratch, 'random.png'), mask);
      const rle = encodeMask(mask);
      const size = rle.size;
      const masks = [
        { rle: { size, counts: rle.counts } },
        { rle: { size, counts: rleToString(rle) } },
        { png: 'random.png' },
      ];
      const data = await openOwnData(
        write(
          image(
            1,
            masks.map((own, n) => ({ text: `m${n}`, mask: own })),
          ),
        ),
        'train',
      );
      expect(data.targets(data.images[0] as ReferringImage).map((target) => target.mask)).toEqual([mask, mask, mask]);
    }
  });
});
