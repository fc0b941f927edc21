/** Stored zips: alignment, checksums, and the zip64 form exactly where an archive is too large for the other. */
import { crc32 } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import { type ZipEntry, zipPieces } from '../../../src/io/torch/zip-writer.js';
import { readZip } from '../../helpers/zip.js';

function entry(name: string, ...pieces: Uint8Array[]): ZipEntry {
  return { name, size: pieces.reduce((sum, piece) => sum + piece.length, 0), read: () => pieces };
}

test('every entry begins at a multiple of 64, has its checksum in both headers, and names are UTF-8', () => {
  const entries = [entry('a/é', Buffer.from('one')), entry('a/none'), entry('b', Buffer.from('tw'), Buffer.from('o'))];
  const bytes = Buffer.concat([...zipPieces(entries)]);
  const files = readZip(bytes);
  expect(files.map(({ name, data }) => [name, data.toString()])).toEqual([
    ['a/é', 'one'],
    ['a/none', ''],
    ['b', 'two'],
  ]);
  for (const { start, data, crc } of files) {
    expect(start % 64).toBe(0);
    expect(crc).toBe(crc32(data));
  }
});

test('the last entry is made from the checksums of the others', () => {
  const last = (checksums: readonly { readonly name: string; readonly crc: number }[]): ZipEntry =>
    entry('sums', Buffer.from(JSON.stringify(checksums)));
  const files = readZip(Buffer.concat([...zipPieces([entry('a', Buffer.from('x'))], last)]));
  expect(files[1]?.data.toString()).toBe(JSON.stringify([{ name: 'a', crc: crc32('x') }]));
});

test('an entry of another size than it promised is an error', () => {
  expect(() => [...zipPieces([{ ...entry('a', Buffer.from('xy')), size: 3 }])]).toThrow('a should have 3 bytes');
});

describe('zip64', () => {
  test('more than 65535 entries', () => {
    const names = Array.from({ length: 65_536 }, (_, i) => `n${i}`);
    const bytes = Buffer.concat([...zipPieces(names.map((name) => entry(name)))]);
    expect(bytes.indexOf(Buffer.from('504b0606', 'hex'))).toBeGreaterThan(0);
    expect(readZip(bytes).map(({ name }) => name)).toEqual(names);
  });

  test('an entry of 4 GiB and one behind it: only the headers are kept here, the data are one block again and again', () => {
    const block = new Uint8Array(2 ** 28);
    const large = entry('large', ...Array.from({ length: 16 }, () => block));
    let position = 0;
    const small: { at: number; piece: Buffer }[] = [];
    for (const piece of zipPieces([entry('first', Buffer.from('x')), large, entry('behind', Buffer.from('y'))])) {
      if (piece !== block && piece.length > 0) small.push({ at: position, piece: Buffer.from(piece) });
      position += piece.length;
    }
    const [, , largeHeader, behindHeader, behindData, directory, end] = small;
    if (!largeHeader || !behindHeader || !behindData || !directory || !end) throw new Error('pieces are missing');
    // Local header: both sizes stand in the extra field.
    expect(largeHeader.piece.readUInt32LE(18)).toBe(0xffffffff);
    expect(largeHeader.piece.readUInt32LE(22)).toBe(0xffffffff);
    expect(largeHeader.piece.subarray(35, 39)).toEqual(Buffer.of(1, 0, 16, 0));
    expect(largeHeader.piece.readBigUInt64LE(39)).toBe(2n ** 32n);
    expect((largeHeader.at + largeHeader.piece.length) % 64).toBe(0);
    expect(behindData.at % 64).toBe(0);
    // Directory: sizes of the large one, offset of the one behind.
    const [, largeRecord, behindRecord] = [0, 46 + 5, 46 + 5 + 46 + 5 + 20].map((at) => directory.piece.subarray(at));
    expect(largeRecord?.readUInt32LE(24)).toBe(0xffffffff);
    expect(largeRecord?.readUInt32LE(42)).toBeLessThan(1000);
    expect(largeRecord?.readBigUInt64LE(46 + 5 + 4)).toBe(2n ** 32n);
    expect(behindRecord?.readUInt32LE(24)).toBe(1);
    expect(behindRecord?.readUInt32LE(42)).toBe(0xffffffff);
    expect(behindRecord?.readBigUInt64LE(46 + 6 + 4)).toBe(BigInt(behindHeader.at));
    // End: the zip64 record gives the directory's place, the locator the record's.
    expect(end.piece.readUInt32LE(0)).toBe(0x06064b50);
    expect(end.piece.readBigUInt64LE(48)).toBe(BigInt(directory.at));
    expect(end.piece.readBigUInt64LE(56 + 8)).toBe(BigInt(end.at));
    expect(end.piece.readUInt32LE(56 + 20 + 16)).toBe(0xffffffff);
  });
});
