/** The recordings in this repository are unaltered; altered, missing and unlisted files are named. */
import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from '@jest/globals';
import { UserError } from '../../src/errors.js';
import { isSigned, MANIFEST, verifyManifest } from '../../src/verification/manifest.js';
import { fixture } from '../helpers/fixtures.js';

const folder = mkdtempSync(join(tmpdir(), 'gsva-manifest-'));
const copy = join(folder, 'tokenizer');
const manifest = join(copy, MANIFEST);
const unaltered = { item: 'files unaltered', largestError: 0, tolerance: 0, pass: true };

beforeEach(() => {
  rmSync(copy, { recursive: true, force: true });
  cpSync(fixture('tokenizer'), copy, { recursive: true });
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

describe('verifyManifest', () => {
  test.each([
    'gsva-tiny',
    'metrics',
    'tokenizer',
    'datasets',
    'images',
    'lisa-tiny',
    'lisa-metrics',
    'lisa-text',
    'checkpoints-tiny-lisa',
    'self1e-metrics',
  ])('%s is as recorded, every file of it', (name) => {
    const [item] = verifyManifest(fixture(name));
    expect(item).toMatchObject(unaltered);
    expect(item?.detail).toMatch(/^\d+ files$/);
  });

  test('one byte more and one file less are two faults', () => {
    appendFileSync(join(copy, 'cases.json'), '\n');
    rmSync(join(copy, 'tokenizer.model'));
    const detail = 'cases.json is altered, tokenizer.model is missing';
    expect(verifyManifest(copy)).toEqual([{ ...unaltered, largestError: 2, pass: false, detail }]);
  });

  test('files that the manifest does not list are named, and are no fault', () => {
    writeFileSync(join(copy, 'notes.txt'), '');
    writeFileSync(manifest, readFileSync(manifest, 'utf8').replace(/.*cases\.json\n/, ''));
    const detail = '3 files; not in SHA256SUMS: cases.json, notes.txt';
    expect(verifyManifest(copy)).toEqual([{ ...unaltered, detail }]);
  });

  test('a folder without a manifest is unsigned', () => {
    expect(isSigned(copy)).toBe(true);
    rmSync(manifest);
    expect(isSigned(copy)).toBe(false);
    expect(verifyManifest(copy)).toEqual([
      { ...unaltered, detail: expect.stringMatching(/^unsigned: .*no SHA256SUMS/) as unknown },
    ]);
  });

  test('other spellings of sha256sum are read; a line that is none of it is an error with its number', () => {
    const text = readFileSync(manifest, 'utf8');
    writeFileSync(manifest, `# made elsewhere\r\n${text.replaceAll('  ', ' *./').replaceAll('\n', '\r\n')}`);
    expect(verifyManifest(copy)).toEqual([{ ...unaltered, detail: '4 files' }]);
    writeFileSync(manifest, `${text}cases.json\n`);
    expect(() => verifyManifest(copy)).toThrow(UserError);
    expect(() => verifyManifest(copy)).toThrow(/SHA256SUMS: line 5 is not .*sha256sum/);
    writeFileSync(manifest, '');
    expect(() => verifyManifest(copy)).toThrow('lists no file');
  });
});
