/** Names of the hub: found in the local cache, else told how to download; paths are left alone. */
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { resolveHubName } from '../../../src/io/cache/hub-cache.js';

const cache = mkdtempSync(join(tmpdir(), 'gsva-hub-'));
afterAll(() => {
  rmSync(cache, { recursive: true });
});

function snapshot(name: string, commit: string): string {
  const folder = join(cache, `models--${name.replace('/', '--')}`, 'snapshots', commit);
  mkdirSync(folder, { recursive: true });
  return folder;
}

const resolve = (name: string): string => resolveHubName(name, 'the model', { HF_HUB_CACHE: cache });

test('the snapshot that refs/main names; without it the newest', () => {
  const [first, second] = [snapshot('some/model', 'aaaaaaa'), snapshot('some/model', 'bbbbbbb')];
  utimesSync(first, 1, 1);
  expect(resolve('some/model')).toBe(second);
  const refs = join(cache, 'models--some--model', 'refs');
  mkdirSync(refs);
  writeFileSync(join(refs, 'main'), 'aaaaaaa\n');
  expect(resolve('some/model')).toBe(first);
  // A ref is a commit's name, never a path.
  writeFileSync(join(refs, 'main'), '../../..');
  expect(resolve('some/model')).toBe(second);
});

test('what is not there: the command that downloads it, and where was looked', () => {
  expect(() => resolve('some/other')).toThrow(/hf download some\/other/);
  expect(() => resolve('some/other')).toThrow(cache);
});

test('folders that exist, and what is no name of the hub, are left as they are', () => {
  expect(resolve('test/io')).toBe('test/io');
  for (const path of ['/some/model', './some/model', 'some/model/deep', '../x', 'model'])
    expect(resolve(path)).toBe(path);
});

test('HF_HOME and XDG_CACHE_HOME say where the cache is', () => {
  const home = mkdtempSync(join(tmpdir(), 'gsva-hub-home-'));
  const folder = join(home, 'hub', 'models--a--b', 'snapshots', 'ccccccc');
  mkdirSync(folder, { recursive: true });
  expect(resolveHubName('a/b', 'x', { HF_HOME: home })).toBe(folder);
  expect(() => resolveHubName('a/b', 'x', { XDG_CACHE_HOME: home })).toThrow(join(home, 'huggingface', 'hub'));
  rmSync(home, { recursive: true });
});
