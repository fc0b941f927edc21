/** Lines of text files: any length of file and line, any split into chunks, what is not text. */
import { afterAll, describe, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { readTextLines, type TextLine } from '../../src/io/text-lines.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-lines-'));
const path = join(scratch, 'lines.txt');
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

function lines(content: string | Uint8Array, longest = 1000): TextLine[] {
  writeFileSync(path, content);
  return [...readTextLines(path, 'a test', longest)];
}
const texts = (content: string | Uint8Array): string[] => lines(content).map(({ text }) => text);

describe('readTextLines', () => {
  test('a byte order mark is dropped, carriage returns stay, what follows the last line feed is a line', () => {
    expect(texts('\ufeffa\r\n\n b\nc')).toEqual(['a\r', '', ' b', 'c']);
    expect(texts('a\n')).toEqual(['a']);
    expect(texts('')).toEqual([]);
    expect(texts('\n')).toEqual(['']);
    expect(lines('\ufeffa\nb').map(({ end }) => end)).toEqual([5, null]);
    expect(texts('a\n\ufeffb')).toEqual(['a', '\ufeffb']);
  });

  test('property: numbered from 1, the lines that were written, whatever their bytes and lengths', () => {
    const line = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.nat(200_000).map((n) => 'é'.repeat(n)),
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 6 }), (written) => {
        const clean = written.map((text) =>
          Buffer.from(text, 'utf8')
            .toString('utf8')
            .replaceAll('\n', '')
            .replace(/^\ufeff+/, ''),
        );
        const read = lines(clean.map((text) => `${text}\n`).join(''), 1e6);
        let end = 0;
        expect(read).toEqual(
          clean.map((text, i) => ({ number: i + 1, text, fault: null, end: (end += Buffer.byteLength(text) + 1) })),
        );
      }),
      { seed: 1, numRuns: 100 },
    );
  });

  test('a line that is too long or not UTF-8 is a fault of its own; the next one is read', () => {
    const found = lines(Buffer.concat([Buffer.from(`${'x'.repeat(300_000)}\nok\n`), Buffer.from([0xff, 0xfe, 0x0a])]));
    expect(found).toEqual([
      { number: 1, text: '', fault: 'it has 300000 bytes, at most 1000 are read', end: 300_001 },
      { number: 2, text: 'ok', fault: null, end: 300_004 },
      { number: 3, text: '', fault: 'it is not a text in UTF-8', end: 300_007 },
    ]);
    expect(lines('x'.repeat(1000))[0]?.fault).toBeNull();
    expect(lines('x'.repeat(1001))[0]?.fault).not.toBeNull();
  });

  test('a file that is missing, or a folder, is a UserError that names it', () => {
    expect(() => [...readTextLines(join(scratch, 'none'), 'a test', 10)]).toThrow(/no file .*none \(a test\)/);
    expect(() => [...readTextLines(scratch, 'a test', 10)]).toThrow(/is not a file/);
  });
});
