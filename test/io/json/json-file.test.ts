/** JSON files: what is read, and that every mistake names the file, the place and the key. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { UserError } from '../../../src/errors.js';
import { readJson, readJson5, writeJson } from '../../../src/io/json/json-file.js';
import { JsonReader } from '../../../src/io/json/json-reader.js';

const folder = mkdtempSync(join(tmpdir(), 'gsva-json-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});
function file(content: string | Uint8Array): string {
  const path = join(folder, 'file');
  writeFileSync(path, content);
  return path;
}

describe('readJson and readJson5', () => {
  test('read what was written, with or without a byte order mark', () => {
    const path = join(folder, 'sub', 'a.json');
    writeJson(path, { a: [1, 'ä'] });
    expect(readJson(path, 'a test')).toEqual({ a: [1, 'ä'] });
    expect(readJson(file('\ufeff[1]'), 'a test')).toEqual([1]);
    expect(readJson5(file("{a: 'x', /* why */ b: +.5,}"), 'a test')).toEqual({ a: 'x', b: 0.5 });
  });

  const cases: readonly [string, () => unknown, string][] = [
    ['missing', () => readJson(join(folder, 'absent'), 'the sizes'), 'no file'],
    ['a folder', () => readJson(folder, 'the sizes'), 'not a file'],
    ['empty', () => readJson(file(' \n'), 'the sizes'), 'the file is empty'],
    ['cut off', () => readJson(file('{"a": [1,\n 2'), 'the sizes'), 'line 2'],
    ['a wrong character', () => readJson(file('{"a": 1,\n  "b": x}'), 'the sizes'), 'line 2, column 8'],
    ['a trailing comma', () => readJson(file('{"a": 1,}'), 'the sizes'), 'remove comments, trailing commas'],
    ['not a text', () => readJson(file(Uint8Array.of(0x22, 0xe4, 0x22)), 'the sizes'), 'UTF-8'],
    ['JSON5 with a mistake', () => readJson5(file('{\na: }'), 'the sizes'), 'line 2, column 4'],
  ];
  test.each(cases)('%s', (_, read, message) => {
    expect(read).toThrow(UserError);
    expect(read).toThrow(message);
    expect(read).toThrow('the sizes');
    expect(read).toThrow(folder);
  });

  test('any text is either read or refused with a one-line UserError', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        for (const read of [readJson, readJson5]) {
          try {
            read(file(text), 'a test');
          } catch (error) {
            expect(error).toBeInstanceOf(UserError);
            expect(String(error)).not.toContain('\n');
          }
        }
      }),
      { seed: 1, numRuns: 300 },
    );
  });
});

describe('JsonReader', () => {
  const reader = JsonReader.of(
    { name: 'x', size: 3, ratio: 0.5, on: true, none: null, list: [{ id: 'a' }, { id: 7 }], numbers: [1, 'b'] },
    'c.json',
  );
  test('reads each kind', () => {
    expect(reader.key('name').string()).toBe('x');
    expect(reader.key('size').integer({ min: 3, max: 3 })).toBe(3);
    expect(reader.key('ratio').number({ max: 1 })).toBe(0.5);
    expect(reader.key('on').boolean()).toBe(true);
    expect(reader.optional('none')).toBeNull();
    expect(reader.optional('toString')).toBeNull();
    expect(reader.key('list').array()[0]?.key('id').oneOf(['a', 'b'])).toBe('a');
    expect(JsonReader.of([1, 2], '').numbers()).toEqual([1, 2]);
    expect(reader.entries().map(([key]) => key)).toContain('numbers');
  });

  const cases: readonly [string, () => unknown, string][] = [
    ['a missing key', () => reader.key('nmae'), 'c.json: the key "nmae" is missing (there are: name, size'],
    ['a wrong kind', () => reader.key('name').number(), 'c.json: "name" is "x", expected a number.'],
    ['a deep one', () => reader.key('list').array()[1]?.key('id').string(), '"list[1].id" is 7, expected a text'],
    ['a missing deep one', () => reader.key('list').array()[1]?.key('x'), 'in "list[1]" the key "x" is missing'],
    ['a number in a list', () => reader.key('numbers').numbers(), '"numbers[1]" is "b"'],
    ['a fraction', () => reader.key('ratio').integer(), 'a whole number'],
    ['out of bounds', () => reader.key('size').integer({ min: 4 }), 'a whole number of at least 4'],
    ['not one of a few', () => reader.key('name').oneOf(['a', 'b']), 'one of "a", "b"'],
    ['an unknown key', () => reader.onlyKeys(['name', 'size']), 'unknown key "ratio"'],
    ['not an object', () => JsonReader.of([], 'c.json').key('a'), 'the whole file is a list of 0, expected an object'],
  ];
  test.each(cases)('%s', (_, read, message) => {
    expect(read).toThrow(UserError);
    expect(read).toThrow(message);
  });
});
