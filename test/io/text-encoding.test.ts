/** Encodings of texts that are not UTF-8: named with the command that converts them, never assumed. */
import { expect, test } from '@jest/globals';
import { notUtf8 } from '../../src/io/text-encoding.js';

test.each<[string, Buffer, RegExp]>([
  [
    'a Chinese Windows',
    Buffer.from([0x7b, 0x22, 0xba, 0xec, 0xc9, 0xab, 0x22, 0x7d]),
    /gb18030.*iconv -f gb18030 -t utf-8 'a\.json'/,
  ],
  ['a Western Windows', Buffer.from([0x7b, 0x22, 0x63, 0x61, 0x66, 0xe9, 0x22, 0x7d]), /cp1252/],
  ['UTF-16', Buffer.from('\ufeff{}', 'utf16le'), /UTF-16; convert it: iconv -f utf-16/],
  ['UTF-16, the other way round', Buffer.from('\ufeff{}', 'utf16le').swap16(), /UTF-16/],
  ['no text', Buffer.from([0x7b, 0x00, 0xff, 0x01]), /damaged or another kind of file/],
])('%s', (_, bytes, expected) => {
  expect(notUtf8(bytes, 'a.json')).toMatch(expected);
});
