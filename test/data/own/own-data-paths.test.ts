/** Own data: paths of other machines, words that stand twice, encodings; where a file of it is named instead of a set. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkOwnData } from '../../../src/data/own/own-data.js';
import { ownDataSpec } from '../../../src/data/own/own-data-line.js';
import { encodePng } from '../../../src/io/image/image-file.js';
import { runCli } from '../../helpers/run-cli.js';
import { randomImage } from '../../inference/tiny-predictor.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-own-paths-'));
const at = (...parts: string[]): string => join(scratch, ...parts);
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

const SQUARE = { polygons: [[2, 2, 8, 2, 8, 8, 2, 8]] };
const BAR = { polygons: [[10, 1, 14, 1, 14, 11, 10, 11]] };
const line = (image: string, expressions: readonly unknown[], more: object = {}): string =>
  `${JSON.stringify({ image, expressions, ...more })}\n`;
const cat = { text: 'cat', mask: SQUARE };

beforeAll(async () => {
  mkdirSync(at('images'));
  for (const name of ['a.png', 'images/b.png']) writeFileSync(at(name), await encodePng(randomImage(20, 30, 1)));
});

async function problems(content: string | Uint8Array): Promise<string> {
  writeFileSync(at('data.jsonl'), content);
  const { problems: found } = await checkOwnData(at('data.jsonl'), 10);
  return found.first.map(({ message }) => message).join('\n');
}

test.each(['images\\b.png', '..\\..\\media\\images\\b.png', 'C:\\work\\images\\b.png', '/elsewhere/a.png', '../a.png'])(
  '%s is found in the folder of the file',
  async (image) => {
    expect(await problems(line(image, [cat]))).toBe('');
  },
);

test('a path that is nowhere says so; two names are not one picture', async () => {
  expect(await problems(line('../none.png', [cat]))).toMatch(/line 1: "image" is "\.\.\/none\.png".*no none\.png in/);
  expect(await problems(line('images/none.png', [cat]))).toMatch(/none\.png .*no such file/);
  const two = line('a.png', [cat]) + line('other/a.png', [{ text: 'dog', mask: BAR }]);
  expect(await problems(two)).toMatch(/line 2: "image" .*as for "a\.png"/);
});

test('words that stand twice with different masks are named; the same mask twice is none', async () => {
  const twice = line('a.png', [cat]) + line('a.png', [{ text: 'Cat', mask: BAR }]);
  expect(await problems(twice)).toMatch(/line 2: a\.png: "Cat" stands twice with different masks; give one mask/);
  expect(await problems(line('a.png', [cat, cat]))).toBe('');
});

test('another encoding is named with the command', async () => {
  const text = line('a.png', [{ text: 'X', mask: SQUARE }]);
  const [before = '', after = ''] = text.split('X');
  const gb = Buffer.concat([Buffer.from(before), Buffer.from([0xba, 0xec]), Buffer.from(after)]);
  expect(await problems(gb)).toMatch(/line 1: it is not in UTF-8.*gb18030.*iconv -f gb18030/);
  expect(await problems(Buffer.from(`\ufeff${text}`, 'utf16le'))).toMatch(/line 1: it is a text in UTF-16.*iconv/);
});

test('ownDataSpec', () => {
  expect(ownDataSpec('my/data.jsonl')).toEqual({ file: 'my/data.jsonl', split: 'train' });
  expect(ownDataSpec('my/data.jsonl:val')).toEqual({ file: 'my/data.jsonl', split: 'val' });
  expect([ownDataSpec('refcoco+:testA'), ownDataSpec('grefcoco')]).toEqual([null, null]);
});

describe('on the command line', () => {
  const file = (): string => {
    writeFileSync(
      at('own.jsonl'),
      line('a.png', [cat, { text: 'dog', mask: null }], { split: 'train' }) +
        line('images/b.png', [{ text: 'bar', mask: [SQUARE, BAR] }], { split: 'val' }),
    );
    return at('own.jsonl');
  };

  test('data stats counts own data by split', async () => {
    const { code, stdout } = await runCli(['data', 'stats', file()]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/train +1 +2 +0 +1\n +val +1 +1 +1 +0\n +all +2 +3 +1 +1/);
    expect(await runCli(['data', 'stats', file(), 'grefcoco'])).toMatchObject({ code: 2 });
  });

  test('data show draws samples of own data, of any split', async () => {
    const shown = await runCli(['data', 'show', `${file()}:val`, '3', '--out', at('shown')]);
    expect(shown).toMatchObject({ code: 0 });
    expect(shown.stdout).toMatch(/shown: 1 of 1 images of own\.jsonl \(val\)/);
    const missing = await runCli(['data', 'show', 'grefcoco', '3', '--out', at('shown')]);
    expect(missing.stderr).toMatch(/--data is missing/);
  });

  test('an import goes on, lists what is wrong and ends with 0; with --strict nothing is written and it ends with 1', async () => {
    const shape = (label: string, points: unknown) => ({ label, shape_type: 'rectangle', points });
    const good = shape('cat', [[2, 2], [8, 8]]); // prettier-ignore
    mkdirSync(at('labels'), { recursive: true });
    const shapes = [good, shape('dog', [[1]]), shape('cup', 'x')];
    writeFileSync(at('labels', '1.json'), JSON.stringify({ shapes, imagePath: '../a.png' }));
    const run = (...more: string[]) =>
      runCli(['data', 'import', 'labelme', at('labels'), '--out', at('l.jsonl'), ...more]);
    const strict = await run('--strict');
    expect(strict).toMatchObject({ code: 1 });
    expect(strict.stdout).toMatch(/l\.jsonl: not written, since 2 entries are wrong/);
    const lenient = await run('--absent', '2');
    expect(lenient).toMatchObject({ code: 0 });
    expect(lenient.stderr).toMatch(/left out: 2 entries that cannot be read\n.*shapes\[1\].*\n.*shapes\[2\]/);
    const json = await run('--overwrite', '--json');
    expect(JSON.parse(json.stdout)).toMatchObject({ written: true, images: 1, faults: 2, leftOut: { badEntries: 2 } });
  });
});
