/** Files are read record by record as JSON.parse reads them at once, wherever a chunk of the file ends. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { readJsonList, readJsonLists, readJsonMembers } from '../../../src/io/json/json-records.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-json-records-'));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});
const path = join(scratch, 'file.json');

/** Shorter than most records and longer than some. */
const SMALL_CHUNK = 16;

function list(text: string | Uint8Array, chunkBytes = SMALL_CHUNK): unknown[] {
  writeFileSync(path, text);
  const values: unknown[] = [];
  readJsonList(
    path,
    (value, index) => {
      expect(index).toBe(values.length);
      values.push(value);
    },
    chunkBytes,
  );
  return values;
}

function lists(text: string, ...keys: string[]): { keys: readonly string[]; values: Record<string, unknown[]> } {
  writeFileSync(path, text);
  const values = Object.fromEntries(keys.map((key): [string, unknown[]] => [key, []]));
  const takers = Object.fromEntries(keys.map((key) => [key, (value: unknown) => void values[key]?.push(value)]));
  return { keys: readJsonLists(path, takers, SMALL_CHUNK), values };
}

describe('readJsonList', () => {
  test('reads what JSON.parse reads, with any spacing and any place where a chunk ends', () => {
    fc.assert(
      fc.property(
        fc.array(fc.jsonValue(), { maxLength: 8 }),
        fc.constantFrom('', ' ', '\r\n\t'),
        fc.integer({ min: 4, max: 40 }),
        (values, space, chunkBytes) => {
          const records = values.map((value) => JSON.stringify(value, null, space));
          const text = `${space}[${space}${records.join(`${space},${space}`)}${space}]${space}`;
          expect(list(text, chunkBytes)).toEqual(JSON.parse(text));
        },
      ),
      { seed: 5, numRuns: 500 },
    );
  });

  test('brackets, commas and escaped quotes within texts end nothing', () => {
    const values = ['a]b', '{"', '\\', '\\"', ['",]'], { '}{': '\\\\"[' }, 'é – 漢字 😀'];
    for (let chunkBytes = 4; chunkBytes < 60; chunkBytes++) {
      expect(list(JSON.stringify(values), chunkBytes)).toEqual(values);
    }
  });

  test('a record may be longer than a chunk', () => {
    const long = Array.from({ length: 3000 }, (_, i) => i / 8);
    expect(list(JSON.stringify([1, long, 'x']))).toEqual([1, long, 'x']);
  });

  test('a byte order mark is dropped', () => {
    expect(list('\ufeff[1, 2]')).toEqual([1, 2]);
  });

  const damaged: [string, string | Uint8Array, RegExp][] = [
    ['an empty file', '', /the file ends at byte 0, expected a list/],
    ['an object', '{"a": 1}', /byte 0 is the beginning of "\{\\"a\\": 1\}", expected a list/],
    ['a list that is not closed', '[1, 2', /the file ends at byte 5, expected "," or "\]"/],
    ['a record that is closed wrongly', '[{"a": [1, 2}]]', /\[0\], at byte 1, is not valid JSON/],
    ['a file that ends within a record', '[{"a": [1, 2', /the file ends at byte 12, within a value/],
    ['a file that ends within a text', '["abc', /the file ends at byte 5, within a value/],
    ['a missing comma', '[1 2]', /byte 3 is the beginning of "2\]", expected "," or "\]"/],
    ['a comma too many', '[1,]', /byte 3 is the beginning of "\]", expected a value/],
    ['no JSON', '[1, nope]', /\[1\], at byte 4, is not valid JSON/],
    ['a name without a value', '[{"a"}]', /\[0\], at byte 1, is not valid JSON/],
    ['something behind the list', '[1] x', /byte 4 is the beginning of "x" after the end/],
    ['bytes that are not UTF-8', Buffer.from('["caf\xe9"]', 'latin1'), /\[0\], at byte 1, is not in UTF-8/],
  ];
  test.each(damaged)('refuses %s', (_, text, message) => {
    expect(() => list(text)).toThrow(message);
  });

  test('refuses a record of more than 64 MB', () => {
    expect(() => list(`["${'x'.repeat(70 * 2 ** 20)}"]`, 2 ** 20)).toThrow(/at byte 1 has more than 67108864 bytes/);
  });

  test('what the taker throws comes through', () => {
    writeFileSync(path, '[1]');
    const stop = new Error('enough');
    expect(() => {
      readJsonList(path, () => {
        throw stop;
      });
    }).toThrow(stop);
  });
});

describe('readJsonLists', () => {
  test('gives the lists that are asked for and passes over the rest', () => {
    const text = JSON.stringify({
      info: { description: 'lists } and ] in "texts"' },
      images: [{ id: 1 }, { id: 2 }],
      version: -1.5e3,
      licenses: [[], [{}]],
      none: null,
      annotations: [],
      last: 'x',
    });
    const { keys, values } = lists(text, 'annotations', 'images', 'absent');
    expect(keys).toEqual(['info', 'images', 'version', 'licenses', 'none', 'annotations', 'last']);
    expect(values).toEqual({ images: [{ id: 1 }, { id: 2 }], annotations: [], absent: [] });
    expect(lists(' { } ', 'images').keys).toEqual([]);
  });

  const damaged: [string, string, RegExp][] = [
    ['a list', '[1]', /expected an object/],
    ['a list under no key', '{[1]}', /byte 1 is the beginning of "\[1\]\}", expected a key/],
    ['a key without a value', '{"a" 1}', /expected ":" after the key "a"/],
    ['another value where a list is asked for', '{"images": {}}', /expected the list "images"/],
    ['a file that ends within what is passed over', '{"info": {"a": [', /the file ends at byte 16, within a value/],
    ['a damaged record', '{"images": [{}, {"a":}]}', /images\[1\], at byte 16, is not valid JSON/],
  ];
  test.each(damaged)('refuses %s', (_, text, message) => {
    expect(() => lists(text, 'images')).toThrow(message);
  });
});

describe('readJsonMembers', () => {
  function members(text: string, chunkBytes = SMALL_CHUNK): [string, unknown][] {
    writeFileSync(path, text);
    const found: [string, unknown][] = [];
    readJsonMembers(path, (value, key) => void found.push([key, value]), chunkBytes);
    return found;
  }

  test('gives each record with its key, wherever a chunk ends', () => {
    const records = { 'a"b': { x: [1, '}'] }, '02': 'é – 漢字', '': null, last: { deep: { er: [] } } };
    const text = JSON.stringify(records, null, 1);
    for (let chunkBytes = 4; chunkBytes < 40; chunkBytes++) {
      expect(members(text, chunkBytes)).toEqual(Object.entries(records));
    }
    expect(members(' {} ')).toEqual([]);
  });

  test('gives a key that stands twice twice, for the reader to judge', () => {
    expect(members('{"a": 1, "a": 2}')).toEqual([
      ['a', 1],
      ['a', 2],
    ]);
  });

  test.each([
    ['a list', '[1]', /expected an object/],
    ['a file that ends within', '{"a": 1', /expected "," or "\}"/],
    ['a damaged record', '{"a": {"b":}}', /"a", at byte 6, is not valid JSON/],
  ])('refuses %s', (_, text, message) => {
    expect(() => members(text)).toThrow(message);
  });
});
