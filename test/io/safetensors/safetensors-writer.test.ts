/** Sharded safetensors: files, index and order as Hugging Face's libraries write them, one tensor in memory at a time. */
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { UserError } from '../../../src/errors.js';
import { writeSafetensors, writeShardedSafetensors } from '../../../src/io/safetensors/safetensors-writer.js';
import { readSafetensors } from '../../../src/io/safetensors/safetensors.js';
import type { TensorOutput } from '../../../src/io/tensor-output.js';

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'gsva-safetensors-writer-'));
  folders.push(folder);
  return folder;
}

/** A tensor of `count` numbers 1; `log` gets its name when it is read. */
function ones(name: string, count: number, log: string[] = []): TensorOutput {
  const read = (): Float32Array => {
    log.push(name);
    return new Float32Array(count).fill(1);
  };
  return { name, dtype: 'F32', shape: [count], read };
}

test('what fits into one file is one file, without an index', () => {
  const dir = newFolder();
  expect(writeShardedSafetensors(dir, [ones('a', 2), ones('b', 3)])).toEqual(['model.safetensors']);
  expect(readdirSync(dir)).toEqual(['model.safetensors']);
  const { tensors, metadata } = readSafetensors(join(dir, 'model.safetensors'));
  expect([...tensors.keys()]).toEqual(['a', 'b']);
  expect(metadata).toEqual({ format: 'pt' });
});

test('shards are filled in order, a tensor larger than a shard has its own, the index names all', () => {
  const dir = newFolder();
  const log: string[] = [];
  const tensors = [
    ['a', 2],
    ['b', 2],
    ['c', 1],
    ['large', 9],
    ['d', 1],
    ['none', 0],
  ] as const;
  const files = writeShardedSafetensors(
    dir,
    tensors.map(([name, count]) => ones(name, count, log)),
    { shardBytes: 16 },
  );
  const [first, second, third, fourth] = [1, 2, 3, 4].map((i) => `model-0000${i}-of-00004.safetensors`);
  expect(files).toEqual([first, second, third, fourth, 'model.safetensors.index.json']);
  expect(readdirSync(dir).sort()).toEqual([...files].sort());
  expect(JSON.parse(readFileSync(join(dir, 'model.safetensors.index.json'), 'utf8'))).toEqual({
    metadata: { total_size: 60 },
    weight_map: { a: first, b: first, c: second, large: third, d: fourth, none: fourth },
  });
  expect(log).toEqual(['a', 'b', 'c', 'large', 'd', 'none']);
  const { tensors: read, metadata } = readSafetensors(join(dir, third as string));
  expect([...read.keys()]).toEqual(['large']);
  expect(metadata).toEqual({ format: 'pt' });
});

test('wider types come first, so that every tensor is aligned; else the order is kept', () => {
  const path = join(newFolder(), 'x.safetensors');
  const tensor = (name: string, dtype: TensorOutput['dtype'], data: ReturnType<TensorOutput['read']>): TensorOutput => {
    return { name, dtype, shape: [1], read: () => data };
  };
  writeSafetensors(path, [
    tensor('byte', 'BOOL', Uint8Array.of(1)),
    tensor('half', 'BF16', Uint16Array.of(0x3f80)),
    tensor('z', 'F32', Float32Array.of(2)),
    tensor('long', 'I64', BigInt64Array.of(-5n)),
    tensor('a', 'I32', Int32Array.of(-5)),
  ]);
  const { tensors } = readSafetensors(path);
  expect([...tensors.keys()]).toEqual(['long', 'z', 'a', 'half', 'byte']);
  expect(tensors.get('long')?.data).toEqual(BigInt64Array.of(-5n));
});

test('two tensors of one name and the reserved name are refused; what a tensor throws is passed on; nothing stays', () => {
  const dir = newFolder();
  expect(() => writeShardedSafetensors(dir, [ones('a', 4), ones('a', 4)], { shardBytes: 16 })).toThrow('called "a"');
  expect(() => writeShardedSafetensors(dir, [ones('__metadata__', 1)])).toThrow(UserError);
  const failing: TensorOutput = {
    ...ones('b', 4),
    read: () => {
      throw new UserError('the source is damaged');
    },
  };
  expect(() => writeShardedSafetensors(dir, [ones('a', 4), failing])).toThrow('the source is damaged');
  expect(readdirSync(dir)).toEqual([]);
});
