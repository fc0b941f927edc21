/** Checkpoints for PyTorch: their structure here, and what torch.load makes of them where a Python has torch. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { UserError } from '../../../src/errors.js';
import type { TensorOutput } from '../../../src/io/tensor-output.js';
import { writeShardedTorch, writeTorchCheckpoint } from '../../../src/io/torch/torch-writer.js';
import { readZip } from '../../helpers/zip.js';

const folder = mkdtempSync(join(tmpdir(), 'gsva-torch-writer-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function tensor(
  name: string,
  dtype: TensorOutput['dtype'],
  shape: readonly number[],
  data: ReturnType<TensorOutput['read']>,
): TensorOutput {
  return { name, dtype, shape, read: () => data };
}

const TENSORS = [
  tensor('model.weight', 'F32', [2, 3], Float32Array.of(1, -2, 0.1, Infinity, NaN, -0)),
  tensor('model.half', 'F16', [3], Uint16Array.of(0x3c00, 0xfbff, 1)),
  tensor('model.brain', 'BF16', [1, 2, 1], Uint16Array.of(0x3f80, 0xc000)),
  tensor('ids', 'I64', [2], BigInt64Array.of(-200n, 2n ** 62n)),
  tensor('double', 'F64', [1], Float64Array.of(1 / 3)),
  tensor('scalar', 'I32', [], Int32Array.of(-7)),
  tensor('none', 'F32', [0, 2 ** 33], new Float32Array(0)),
  tensor(
    'wide',
    'U8',
    [300, 1],
    Uint8Array.from({ length: 300 }, (_, i) => i & 255),
  ),
  tensor('bytes', 'I8', [2], Int8Array.of(-1, 1)),
  tensor('short', 'I16', [1], Int16Array.of(-300)),
  tensor('größe.truth', 'BOOL', [2], Uint8Array.of(1, 0)),
] as const;

function hex({ read }: TensorOutput): string {
  const { buffer, byteOffset, byteLength } = read();
  return Buffer.from(buffer, byteOffset, byteLength).toString('hex');
}

describe('the file', () => {
  test("has the records of torch.save, numbers as they are, each at a multiple of 64, torch's kind of id", () => {
    const path = join(folder, 'all.pth');
    writeTorchCheckpoint(path, TENSORS);
    const files = readZip(readFileSync(path));
    const data = TENSORS.map((_, i) => `archive/data/${i}`);
    const names = ['archive/data.pkl', 'archive/byteorder', ...data, 'archive/version'];
    expect(files.map(({ name }) => name)).toEqual([...names, 'archive/.data/serialization_id']);
    expect(files.every(({ start }) => start % 64 === 0)).toBe(true);
    const content = new Map(files.map((file) => [file.name, file.data]));
    TENSORS.forEach((each, i) => expect(content.get(`archive/data/${i}`)?.toString('hex')).toBe(hex(each)));
    expect(content.get('archive/byteorder')?.toString()).toBe('little');
    expect(content.get('archive/version')?.toString()).toBe('3\n');
    expect(content.get('archive/.data/serialization_id')?.toString()).toMatch(/^\d{40}$/);
  });

  test('is the same when it is written again, and another when a number is', () => {
    const write = (value: number): Buffer => {
      const path = join(folder, 'again.pth');
      writeTorchCheckpoint(path, [tensor('w', 'F32', [1], Float32Array.of(value))]);
      return readFileSync(path);
    };
    expect(write(1).equals(write(1))).toBe(true);
    const id = (bytes: Buffer): string | undefined => readZip(bytes).at(-1)?.data.toString();
    expect(id(write(1))).not.toBe(id(write(2)));
  });

  test('is not written when a type has no form in PyTorch or a tensor cannot be read', () => {
    const path = join(folder, 'refused.pth');
    const unsigned = tensor('u', 'U32', [1], Uint32Array.of(1));
    expect(() => writeTorchCheckpoint(path, [unsigned])).toThrow(UserError);
    expect(() => writeTorchCheckpoint(path, [unsigned])).toThrow('tensor "u" is of type U32');
    expect(() => writeTorchCheckpoint(path, [tensor('w', 'F32', [2], new Float32Array(1))])).toThrow('"w" (F32');
    expect(() => writeTorchCheckpoint(path, [TENSORS[0], TENSORS[0]])).toThrow('called "model.weight"');
    expect(existsSync(path)).toBe(false);
    expect(readdirSync(folder).filter((name) => name.includes('.tmp-'))).toEqual([]);
  });

  test('is several with an index when it would be larger than a shard', () => {
    const dir = mkdtempSync(join(folder, 'sharded-'));
    const files = writeShardedTorch(dir, TENSORS, { shardBytes: 40 });
    expect(files.at(-1)).toBe('pytorch_model.bin.index.json');
    expect(files[0]).toBe(`pytorch_model-00001-of-0000${files.length - 1}.bin`);
    expect(files.length).toBeGreaterThan(2);
    const index = JSON.parse(readFileSync(join(dir, 'pytorch_model.bin.index.json'), 'utf8')) as {
      readonly metadata: unknown;
      readonly weight_map: Record<string, string>;
    };
    expect(Object.keys(index.weight_map)).toEqual(TENSORS.map(({ name }) => name));
    expect(new Set(Object.values(index.weight_map))).toEqual(new Set(files.slice(0, -1)));
    expect(index.metadata).toEqual({ total_size: TENSORS.reduce((sum, each) => sum + hex(each).length / 2, 0) });
    expect(files.every((name) => statSync(join(dir, name)).size > 0)).toBe(true);
    expect(writeShardedTorch(dir, TENSORS)).toEqual(['pytorch_model.bin']);
  });
});

/** Prints what torch.load finds in a file, as JSON: [name, dtype, shape, bytes in hexadecimal]. */
const LOAD = `
import json, sys, torch
found = torch.load(sys.argv[1], map_location="cpu", weights_only=True)
rows = [[n, str(t.dtype), list(t.shape), bytes(t.reshape(-1).view(torch.uint8).tolist()).hex()] for n, t in found.items()]
print(json.dumps(rows))
`;

function findTorch(): string | undefined {
  const candidates = [process.env.GSVA_TEST_PYTHON ?? '', 'python3', '/work/torch-venv/bin/python'];
  return candidates.find((python) => python !== '' && spawnSync(python, ['-c', 'import torch']).status === 0);
}

describe('torch.load', () => {
  const python = findTorch();
  const testWithTorch = python === undefined ? test.skip : test;
  testWithTorch(`with weights_only reads every tensor to the bit (${python ?? 'no Python with torch found'})`, () => {
    const path = join(folder, 'for-torch.pth');
    writeTorchCheckpoint(path, TENSORS);
    const { status, stdout, stderr } = spawnSync(python ?? '', ['-c', LOAD, path], { encoding: 'utf8' });
    expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
    const dtypes: Partial<Record<TensorOutput['dtype'], string>> = {
      ...{ F64: 'float64', F32: 'float32', F16: 'float16', BF16: 'bfloat16', BOOL: 'bool' },
      ...{ I64: 'int64', I32: 'int32', I16: 'int16', I8: 'int8', U8: 'uint8' },
    };
    expect(JSON.parse(stdout)).toEqual(
      TENSORS.map((each) => [each.name, `torch.${dtypes[each.dtype] ?? ''}`, each.shape, hex(each)]),
    );
  });
});
