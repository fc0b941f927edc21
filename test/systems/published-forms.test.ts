/** Forms of published files by system, and which folders are a published model by themselves. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { PUBLISHED_SYSTEMS, publishedFolder, systemOfSource } from '../../src/systems/published-files.js';
import { publishedForm } from '../../src/systems/published-forms.js';
import { SYSTEM_NAMES } from '../../src/systems/index.js';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'gsva-forms-'));
});
afterEach(() => {
  rmSync(dir, { recursive: true });
});

test('every system has a form, and another name is refused with those that are known', async () => {
  expect([...PUBLISHED_SYSTEMS].sort()).toEqual([...SYSTEM_NAMES].sort());
  for (const name of PUBLISHED_SYSTEMS) await expect(publishedForm(name)).resolves.toHaveProperty('open');
  await expect(publishedForm('other')).rejects.toThrow(
    'Files of other: no form of published files is known; known are gsva',
  );
});

test('the system of files is the one that is named, or the one whose files they are', () => {
  const files = { mllm: 'a', visionTower: 'b', sam: 'c', weights: null };
  expect(systemOfSource(files)).toBe('gsva');
  expect(systemOfSource({ ...files, sam: null })).toBe('lisa');
  expect(systemOfSource({ ...files, sam: null, visionTower: null })).toBe('self1e');
  expect(systemOfSource({ ...files, sam: null, system: 'gsva' })).toBe('gsva');
});

test('an InternVL is a whole model, a folder of ours and LLaVA are not', () => {
  const write = (name: string, json: unknown): void => {
    writeFileSync(join(dir, name), JSON.stringify(json));
  };
  expect(publishedFolder(dir)).toBeNull();
  for (const [type, isWhole] of [
    ['internvl_chat', true],
    ['internvl', true],
    ['llava', false],
    [7, false],
  ] as const) {
    write('config.json', { model_type: type });
    expect([type, publishedFolder(dir) !== null]).toEqual([type, isWhole]);
  }
  write('config.json', { model_type: 'internvl' });
  write('meta.json', {});
  expect(publishedFolder(dir)).toBeNull();
});
