/** The directory of a zip file: what it says is compared with the file; what cannot be is refused with the reason. */
import { describe, expect, test } from '@jest/globals';
import { UserError } from '../../../src/errors.js';
import { memoryOpener } from '../../helpers/memory-opener.js';
import { readZipDirectory, storedOffset } from '../../../src/io/torch/zip-directory.js';

interface Entry {
  readonly name: string;
  readonly data: string;
  /** Change the records before they are written: fields of the local and of the central header. */
  readonly local?: (record: Buffer) => void;
  readonly central?: (record: Buffer) => void;
  readonly extra?: Buffer;
}

interface Layout {
  readonly comment?: string;
  readonly zip64?: boolean;
  readonly end?: (record: Buffer) => void;
  readonly end64?: (record: Buffer) => void;
}

/** A zip file of stored entries, by the format's own document, with what a test wants changed. */
function zip(entries: readonly Entry[], { comment = '', zip64 = false, end, end64 }: Layout = {}): Buffer {
  const files: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, data, local, central, extra = Buffer.alloc(0) } of entries) {
    const [nameBytes, bytes] = [Buffer.from(name), Buffer.from(data)];
    const header = Buffer.alloc(30);
    header.writeUInt32LE(0x04034b50, 0);
    header.writeUInt16LE(nameBytes.length, 26);
    local?.(header);
    const record = Buffer.alloc(46);
    record.writeUInt32LE(0x02014b50, 0);
    record.writeUInt32LE(bytes.length, 20);
    record.writeUInt32LE(bytes.length, 24);
    record.writeUInt16LE(nameBytes.length, 28);
    record.writeUInt16LE(extra.length, 30);
    record.writeUInt32LE(offset, 42);
    central?.(record);
    files.push(header, nameBytes, bytes);
    directory.push(record, nameBytes, extra);
    offset += 30 + nameBytes.length + bytes.length;
  }
  const size = Buffer.concat(directory).length;
  const last = Buffer.alloc(22);
  last.writeUInt32LE(0x06054b50, 0);
  for (const at of [8, 10]) last.writeUInt16LE(zip64 ? 0xffff : entries.length, at);
  last.writeUInt32LE(zip64 ? 0xffffffff : size, 12);
  last.writeUInt32LE(zip64 ? 0xffffffff : offset, 16);
  last.writeUInt16LE(comment.length, 20);
  end?.(last);
  const wide = Buffer.alloc(zip64 ? 76 : 0);
  if (zip64) {
    wide.writeUInt32LE(0x06064b50, 0);
    [44, 0, 0, entries.length, entries.length, size, offset].forEach((value, i) => {
      if (i === 0) wide.writeBigUInt64LE(BigInt(value), 4);
      else if (i > 2) wide.writeBigUInt64LE(BigInt(value), 24 + 8 * (i - 3));
    });
    wide.writeUInt32LE(0x07064b50, 56);
    wide.writeBigUInt64LE(BigInt(offset + size), 64);
    end64?.(wide);
  }
  return Buffer.concat([...files, ...directory, wide, last, Buffer.from(comment)]);
}

const fail = (what: string): never => {
  throw new UserError(what);
};

const names = (bytes: Buffer): string[] =>
  memoryOpener(bytes, 'zip')((source) => [...readZipDirectory(source, fail).keys()]);

function content(bytes: Buffer, name: string): string {
  return memoryOpener(
    bytes,
    'zip',
  )((source) => {
    const entry = readZipDirectory(source, fail).get(name);
    if (entry === undefined) throw new Error(`no ${name}`);
    const start = storedOffset(source, entry, fail);
    return bytes.toString('utf8', start, start + entry.size);
  });
}

const AB: readonly [Entry, Entry] = [
  { name: 'x/a', data: 'first' },
  { name: 'x/b', data: 'second one' },
];

describe('what is read', () => {
  test('stored entries, plain and zip64, with a comment and with 64-bit sizes', () => {
    for (const layout of [{}, { comment: 'PK\x05\x06 is not an end here' }, { zip64: true }]) {
      const bytes = zip(AB, layout);
      expect(names(bytes)).toEqual(['x/a', 'x/b']);
      expect(content(bytes, 'x/b')).toBe('second one');
    }
    const extra = Buffer.alloc(4 + 24);
    extra.writeUInt16LE(1, 0);
    extra.writeUInt16LE(24, 2);
    extra.writeBigUInt64LE(5n, 4);
    extra.writeBigUInt64LE(5n, 12);
    const central = (record: Buffer): void => {
      for (const at of [20, 24, 42]) record.writeUInt32LE(0xffffffff, at);
    };
    expect(content(zip([{ ...AB[0], extra, central }, AB[1]]), 'x/a')).toBe('first');
    expect(() => names(zip([{ ...AB[0], central }, AB[1]]))).toThrow('"x/a" lacks its 64-bit sizes');
  });
});

describe('what is refused', () => {
  const changed = (central: (record: Buffer) => void): Buffer => zip([{ ...AB[0], central }, AB[1]]);

  test.each([
    ['an entry twice', zip([AB[0], { ...AB[1], name: 'x/a' }]), '"x/a" twice'],
    ['a path upwards', zip([{ name: 'x/../../a', data: '' }]), 'forbidden name'],
    ['a path from the root', zip([{ name: '/etc/passwd', data: '' }]), 'forbidden name'],
    ['a path of Windows', zip([{ name: 'C:\\x', data: '' }]), 'forbidden name'],
    ['a name with a zero', zip([{ name: 'x\0y', data: '' }]), 'forbidden name'],
    ['an encrypted entry', changed((record) => record.writeUInt16LE(1, 8)), '"x/a" is encrypted'],
    [
      'a size beyond the file',
      changed((record) => record.writeUInt32LE(1000, 20)),
      'does not fit before the directory',
    ],
    ['an offset beyond the file', changed((record) => record.writeUInt32LE(9999, 42)), 'does not fit'],
    ['two entries on the same bytes', changed((record) => record.writeUInt32LE(12, 20)), '"x/a" overlaps the next one'],
    ['a directory with more entries', zip(AB, { end: (record) => record.writeUInt16LE(3, 10) }), 'several parts'],
    [
      'an absurd count',
      zip(AB, { zip64: true, end64: (record) => [24, 32].forEach((at) => record.writeBigUInt64LE(1n << 40n, at)) }),
      'claims 1099511627776 entries in',
    ],
    [
      'a directory of 1 GiB',
      zip(AB, { zip64: true, end64: (record) => record.writeBigUInt64LE(1n << 30n, 40) }),
      'at most 67108864 are read',
    ],
    ['a directory elsewhere', zip(AB, { end: (record) => record.writeUInt32LE(1, 16) }), 'does not end at byte'],
    ['a file cut off', zip(AB).subarray(0, 60), 'cut off: download it again'],
    ['bytes after the end', Buffer.concat([zip(AB), Buffer.from('more')]), 'no directory at its end'],
  ])('%s', (_what, bytes, message) => {
    expect(() => names(bytes)).toThrow(message);
    expect(() => names(bytes)).toThrow(UserError);
  });

  test('compressed entries are refused with advice, when they are asked for', () => {
    const bytes = changed((record) => record.writeUInt16LE(8, 10));
    expect(content(bytes, 'x/b')).toBe('second one');
    expect(() => content(bytes, 'x/a')).toThrow(
      '"x/a" is compressed (method 8), but PyTorch stores entries as they are',
    );
  });

  test('a local header that says something else is refused', () => {
    const local = (change: (record: Buffer) => void): Buffer => zip([{ ...AB[0], local: change }, AB[1]]);
    expect(() =>
      content(
        local((record) => record.writeUInt32LE(0, 0)),
        'x/a',
      ),
    ).toThrow('no local header');
    expect(() =>
      content(
        local((record) => record.writeUInt16LE(8, 8)),
        'x/a',
      ),
    ).toThrow('described differently');
    expect(() =>
      content(
        local((record) => record.writeUInt16LE(2, 26)),
        'x/a',
      ),
    ).toThrow('described differently');
    expect(() =>
      content(
        local((record) => record.writeUInt16LE(40, 28)),
        'x/a',
      ),
    ).toThrow('reaches beyond');
  });
});
