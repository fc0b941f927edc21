/** The writing thread: what is written, in which order folders appear, and what an error says. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { UserError } from '../../../src/errors.js';
import { releaseDirectory, stageDirectory } from '../../../src/io/atomic/atomic-file.js';
import { BackgroundWriter } from '../../../src/io/atomic/background-writer.js';
import { jsonFile, textFile } from '../../../src/io/atomic/pending-file.js';

let folder = '';
let writer: BackgroundWriter;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gsva-writer-'));
  writer = new BackgroundWriter();
});
afterEach(async () => {
  await writer.close();
  rmSync(folder, { recursive: true, force: true });
});

const at = (...parts: string[]): string => join(folder, ...parts);

describe('BackgroundWriter', () => {
  test('writes what it was given, large pieces without a copy', async () => {
    const dir = at('a');
    mkdirSync(dir);
    const numbers = new Uint8Array(1e6).map((_, i) => i % 251);
    const expected = numbers.slice();
    const writing = writer.run({
      dir,
      files: [
        { name: 'numbers', pieces: [new Uint8Array([9, 8]), numbers] },
        jsonFile('facts.json', { a: 1 }),
        textFile('empty', ''),
      ],
      publication: null,
    });
    expect(numbers).toHaveLength(0); // handed over
    await writing;
    const found = readFileSync(at('a', 'numbers'));
    expect([...found.subarray(0, 2)]).toEqual([9, 8]);
    expect(Buffer.compare(found.subarray(2), expected)).toBe(0);
    expect(readFileSync(at('a', 'facts.json'), 'utf8')).toBe('{\n  "a": 1\n}\n');
    expect(readFileSync(at('a', 'empty'))).toHaveLength(0);
  });

  test('fills one folder, makes others the same, puts them in their places and removes what is outdated', async () => {
    mkdirSync(at('last'));
    writeFileSync(at('last', 'old'), 'old');
    mkdirSync(at('update-1'));
    writeFileSync(at('update-1', 'old'), 'old');
    const folders = ['last', 'update-2'].map((name) => stageDirectory(at(name)));
    const publication = { folders, outdated: [at('update-1')] };
    await writer.run({ dir: folders[0]?.path ?? '', files: [textFile('x', 'new')], publication });
    folders.forEach(releaseDirectory);
    expect(readdirSync(folder).sort()).toEqual(['last', 'update-2']);
    for (const name of ['last', 'update-2']) {
      expect(readdirSync(at(name))).toEqual(['x']);
      expect(readFileSync(at(name, 'x'), 'utf8')).toBe('new');
    }
    // The same bytes on the disk, under two names.
    expect(statSync(at('last', 'x')).ino).toBe(statSync(at('update-2', 'x')).ino);
  });

  test('an error names the file, keeps what was there, and does not end the thread', async () => {
    mkdirSync(at('last'));
    const staged = stageDirectory(at('last'));
    const publication = { folders: [staged], outdated: [] };
    const files = [textFile('x', '1'), textFile('missing/y', '2')];
    const failing = writer.run({ dir: staged.path, files, publication });
    await expect(failing).rejects.toThrow(UserError);
    await expect(failing).rejects.toThrow(/Could not write .*missing\/y: ENOENT/);
    releaseDirectory(staged);
    expect(readdirSync(folder)).toEqual(['last']);
    await writer.run({ dir: at('last'), files: [textFile('x', '1')], publication: null });
    expect(readdirSync(at('last'))).toEqual(['x']);
  });

  test('closed while it works, it fails what is not done', async () => {
    mkdirSync(at('a'));
    const files = [{ name: 'x', pieces: [new Uint8Array(5e7)] }];
    const writing = writer.run({ dir: at('a'), files, publication: null });
    const closing = writer.close();
    await expect(writing).rejects.toThrow('closed');
    await closing;
  });
});
