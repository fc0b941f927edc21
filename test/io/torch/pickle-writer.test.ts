/** Pickles, byte for byte: values as protocol 2 of CPython writes them, without its memo. */
import { expect, test } from '@jest/globals';
import {
  type Picklable,
  call,
  dict,
  global,
  list,
  persistentId,
  pickle,
  tuple,
} from '../../../src/io/torch/pickle-writer.js';

const DICT = global('collections', 'OrderedDict');

test.each<[string, Picklable, string]>([
  ['text', 'aé', '800258030000006 1c3a92e'],
  ['whole numbers', tuple(0, 255, 256), '80024b004bff4d0001872e'],
  ['larger numbers', tuple(65535, 65536, -1), '80024dffff4a000001004affffffff872e'],
  ['the largest of 32 bits', tuple(2 ** 31 - 1, 1 - 2 ** 31), '80024affffff7f4a01000080862e'],
  ['truth', tuple(true, false), '80028889862e'],
  [
    'tuples of none, one and four',
    tuple(tuple(), tuple(1), tuple(1, 2, 3, 4)),
    '800229 4b0185 284b014b024b034b0474 872e',
  ],
  ['a persistent id', persistentId('7'), '80025801000000375 12e'],
  ['a list', list([1, 'a']), '80025d28 4b01 580100000061 65 2e'],
  ['a plain dict', dict({ a: list([]), b: 2 }), '80027d28 580100000061 5d2865 580100000062 4b02 75 2e'],
  ['a dict of nothing', dict({}), '80027d2e'],
  ['a dict', call(DICT, [], [['a', 1]]), `8002${dictClass()}2952 28 580100000061 4b01 75 2e`],
])('%s', (_, value, hex) => {
  expect(pickle(value).toString('hex')).toBe(hex.replaceAll(' ', ''));
});

test('a number of more than 32 bits has eight bytes; one that is not exact is refused', () => {
  expect(pickle(2 ** 40).toString('hex')).toBe('80028a0800000000000100002e');
  expect(pickle(-(2 ** 40)).toString('hex')).toBe('80028a080000000000ffffff2e');
  expect(() => pickle(2 ** 53)).toThrow('not a whole number that is exact');
  expect(() => pickle(0.5)).toThrow('not a whole number that is exact');
});

function dictClass(): string {
  return `63${Buffer.from('collections\nOrderedDict\n').toString('hex')}`;
}
