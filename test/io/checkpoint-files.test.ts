/** Files and folders of weights: which file a folder means, shards by their index, hostile indexes. */
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { UserError } from '../../src/errors.js';
import { openCheckpoint } from '../../src/io/checkpoint-files.js';
import { writeSafetensors } from '../../src/io/safetensors/safetensors-writer.js';
import { fixture } from '../helpers/fixtures.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-files-'));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});
const LLAVA = fixture('checkpoints-tiny', 'llava');
const SAM = fixture('checkpoints-tiny', 'sam_vit_tiny.pth');

function folder(name: string): string {
  mkdirSync(join(scratch, name));
  return join(scratch, name);
}

function tiny(path: string, value: number): void {
  writeSafetensors(path, new Map([['x', { shape: [1], data: Float32Array.of(value) }]]));
}

test('a folder of shards, its index, and one shard', () => {
  const all = openCheckpoint(LLAVA);
  expect([all.format, all.files.length, all.tensors.size]).toEqual(['PyTorch', 2, 32]);
  expect(openCheckpoint(join(LLAVA, 'pytorch_model.bin.index.json')).tensors.size).toBe(32);
  expect(openCheckpoint(all.files[0] as string).tensors.size).toBe(16);
});

test('a file by its content, whatever it is called', () => {
  copyFileSync(SAM, join(scratch, 'weights'));
  expect(openCheckpoint(join(scratch, 'weights'))).toMatchObject({ format: 'PyTorch' });
  tiny(join(scratch, 'numbers'), 1);
  expect(openCheckpoint(join(scratch, 'numbers'))).toMatchObject({ format: 'safetensors' });
});

test('safetensors before a pickle; the only file of a folder under any name; else what is there', () => {
  const both = folder('both');
  copyFileSync(join(LLAVA, 'pytorch_model-00001-of-00002.bin'), join(both, 'pytorch_model.bin'));
  tiny(join(both, 'model.safetensors'), 1);
  expect([...openCheckpoint(both).tensors.keys()]).toEqual(['x']);
  const only = folder('only');
  copyFileSync(SAM, join(only, 'sam_vit_h.pth'));
  expect(openCheckpoint(only).tensors.size).toBe(202);
  copyFileSync(SAM, join(only, 'sam_vit_b.pth'));
  expect(() => openCheckpoint(only)).toThrow(/it has sam_vit_[bh]\.pth, sam_vit_[bh]\.pth\. Name the file itself/);
  expect(() => openCheckpoint(folder('empty'))).toThrow(/has none of/);
  expect(() => openCheckpoint(join(scratch, 'none'))).toThrow(/there is no .*none/);
});

describe('an index', () => {
  const dir = folder('index');
  cpSync(LLAVA, dir, { recursive: true });
  const index = join(dir, 'pytorch_model.bin.index.json');
  const original = JSON.parse(readFileSync(index, 'utf8')) as { weight_map: Record<string, string> };

  test.each([
    ['../llava/pytorch_model.bin', /"weight_map\.lm_head\.weight"/],
    ['/etc/passwd', /the name of a file next to the index/],
    ['..', /the name of a file next to the index/],
    ['a\\b.bin', /the name of a file next to the index/],
    ['pytorch_model.bin.index.json', /the name of a file next to the index/],
    ['pytorch_model-00003-of-00002.bin', /there is no/],
    ['pytorch_model-00002-of-00002.bin', /says that "lm_head\.weight" is in .*00002.*does not have it/],
  ])('that names %s is refused', (file, message) => {
    writeFileSync(
      index,
      JSON.stringify({ ...original, weight_map: { ...original.weight_map, 'lm_head.weight': file } }),
    );
    expect(() => openCheckpoint(dir)).toThrow(UserError);
    expect(() => openCheckpoint(dir)).toThrow(message);
  });

  test.each([
    ['[]'],
    ['{}'],
    ['{"weight_map": []}'],
    ['{"weight_map": {}}'],
    ['{"weight_map": {"a": 1}}'],
    ['no JSON'],
  ])('that is %s is refused', (text) => {
    writeFileSync(index, text);
    expect(() => openCheckpoint(dir)).toThrow(UserError);
  });

  test('may leave out what the shards have', () => {
    const rest = Object.entries(original.weight_map).filter(([name]) => name !== 'lm_head.weight');
    writeFileSync(index, JSON.stringify({ weight_map: Object.fromEntries(rest) }));
    expect(openCheckpoint(dir).tensors.has('lm_head.weight')).toBe(true);
  });
});
