/** Files and folders appear whole or not at all, and what a crash leaves is recognised. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { UserError } from '../../../src/errors.js';
import { recoverDirectory, writeDirectoryAtomic, writeFileAtomic } from '../../../src/io/atomic/atomic-file.js';

let folder = '';
/** The id of a process that has ended. */
const GONE = spawnSync(process.execPath, ['-e', '0']).pid;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gsva-atomic-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function directory(name: string, content: string): string {
  const path = join(folder, name);
  mkdirSync(path);
  writeFileSync(join(path, 'content'), content);
  return path;
}
const contentOf = (path: string): string => readFileSync(join(path, 'content'), 'utf8');

describe('writeFileAtomic', () => {
  test('writes text, bytes and pieces, makes missing folders and replaces', () => {
    const path = join(folder, 'a', 'b', 'file');
    writeFileAtomic(path, 'ä');
    expect(readFileSync(path, 'utf8')).toBe('ä');
    writeFileAtomic(path, Uint8Array.of(1, 2));
    expect([...readFileSync(path)]).toEqual([1, 2]);
    writeFileAtomic(path, [Uint8Array.of(3), new Uint8Array(0), Uint8Array.of(4)]);
    expect([...readFileSync(path)]).toEqual([3, 4]);
    expect(readdirSync(join(folder, 'a', 'b'))).toEqual(['file']);
  });

  test('a failure on the way keeps the old file and leaves nothing else', () => {
    const path = join(folder, 'file');
    writeFileAtomic(path, 'old');
    function* breaking(): Generator<Uint8Array> {
      yield Uint8Array.of(1);
      throw new Error('disk on fire');
    }
    expect(() => writeFileAtomic(path, breaking())).toThrow('disk on fire');
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(readdirSync(folder)).toEqual(['file']);
  });

  test('a path that cannot be written is a UserError that names it', () => {
    writeFileSync(join(folder, 'file'), '');
    const path = join(folder, 'file', 'below');
    expect(() => writeFileAtomic(path, '')).toThrow(UserError);
    expect(() => writeFileAtomic(path, '')).toThrow(path);
    mkdirSync(join(folder, 'taken'));
    expect(() => writeFileAtomic(join(folder, 'taken'), '')).toThrow(UserError);
    expect(readdirSync(folder).sort()).toEqual(['file', 'taken']);
  });

  test('half-written files of ended processes are removed, those of living ones kept', () => {
    writeFileSync(join(folder, `.x.tmp-${GONE}-0123abcd`), '');
    writeFileSync(join(folder, `.x.tmp-${process.ppid}-0123abcd`), '');
    writeFileAtomic(join(folder, 'file'), '');
    expect(readdirSync(folder).sort()).toEqual([`.x.tmp-${process.ppid}-0123abcd`, 'file']);
  });
});

describe('writeDirectoryAtomic', () => {
  const build = (content: string) => async (temporary: string) => writeFileSync(join(temporary, 'content'), content);

  test('builds beside the final place, then replaces what is there', async () => {
    const final = join(folder, 'sub', 'checkpoint');
    await writeDirectoryAtomic(final, build('one'));
    expect(contentOf(final)).toBe('one');
    await writeDirectoryAtomic(final, async (temporary) => {
      expect(contentOf(final)).toBe('one');
      mkdirSync(join(temporary, 'deeper'));
      await build('two')(temporary);
    });
    expect(contentOf(final)).toBe('two');
    expect(readdirSync(join(folder, 'sub'))).toEqual(['checkpoint']);
  });

  test('a failure while building keeps the old folder and leaves nothing else', async () => {
    const final = directory('checkpoint', 'old');
    const failing = writeDirectoryAtomic(final, async (temporary) => {
      await build('new')(temporary);
      throw new Error('interrupted');
    });
    await expect(failing).rejects.toThrow('interrupted');
    expect(contentOf(final)).toBe('old');
    expect(readdirSync(folder)).toEqual(['checkpoint']);
  });

  test('after a crash between the two renames the complete new folder takes its place', () => {
    directory(`.checkpoint.old-${GONE}-00000000`, 'old');
    directory(`.checkpoint.new-${GONE}-00000000`, 'new');
    recoverDirectory(join(folder, 'checkpoint'));
    expect(contentOf(join(folder, 'checkpoint'))).toBe('new');
    expect(readdirSync(folder)).toEqual(['checkpoint']);
  });

  test('an old folder moved aside comes back when there is no complete new one', () => {
    directory(`.checkpoint.old-${GONE}-00000000`, 'old');
    directory(`.checkpoint.tmp-${GONE}-00000000`, 'half');
    recoverDirectory(join(folder, 'checkpoint'));
    expect(contentOf(join(folder, 'checkpoint'))).toBe('old');
    expect(readdirSync(folder)).toEqual(['checkpoint']);
  });

  test('leftovers are deleted where the folder is there; those of other folders and of living processes stay', () => {
    const final = directory('checkpoint', 'kept');
    directory(`.checkpoint.old-${GONE}-00000000`, 'old');
    directory(`.checkpoint.tmp-${process.ppid}-00000000`, 'living');
    directory(`.other.old-${GONE}-00000000`, 'other');
    recoverDirectory(final);
    expect(contentOf(final)).toBe('kept');
    expect(readdirSync(folder).sort()).toEqual([
      `.checkpoint.tmp-${process.ppid}-00000000`,
      `.other.old-${GONE}-00000000`,
      'checkpoint',
    ]);
    recoverDirectory(join(folder, 'not', 'there'));
    expect(existsSync(join(folder, 'not'))).toBe(false);
  });
});
