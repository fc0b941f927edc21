/** Weights that a folder shares with the one next to it: read from there, refused where they are missing or changed. */
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { UserError } from '../../src/errors.js';
import { openCheckpoint } from '../../src/io/checkpoint-files.js';
import { writeSafetensors } from '../../src/io/safetensors/safetensors-writer.js';
import { digestOf } from '../../src/io/checkpoint-files.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-shared-'));
const [whole, part] = [join(scratch, 'whole'), join(scratch, 'part')];

function write(folder: string, values: Record<string, number>): void {
  mkdirSync(folder, { recursive: true });
  const tensors = Object.entries(values).map(
    ([name, value]) => [name, { shape: [1], data: Float32Array.of(value) }] as const,
  );
  writeSafetensors(join(folder, 'model.safetensors'), new Map(tensors));
}

function share(folder: string, names: readonly string[]): void {
  const { tensors } = openCheckpoint(whole);
  const digests = names.map((name) => {
    const tensor = tensors.get(name);
    return [name, tensor === undefined ? '' : digestOf(tensor)];
  });
  writeFileSync(join(part, 'shared.json'), JSON.stringify({ folder, tensors: Object.fromEntries(digests) }));
}

const valuesIn = (folder: string): unknown =>
  Object.fromEntries([...openCheckpoint(folder).tensors].map(([name, tensor]) => [name, [...tensor.read()]]));

beforeEach(() => {
  write(whole, { a: 1, b: 2, c: 3 });
  write(part, { d: 4 });
  share('../whole', ['a', 'c']);
});

afterEach(() => {
  rmSync(scratch, { recursive: true });
});

describe('shared.json', () => {
  test('adds the named tensors of the other folder, and no others', () => {
    expect(valuesIn(part)).toEqual({ a: [1], c: [3], d: [4] });
    expect(openCheckpoint(part).files).toEqual([join(part, 'model.safetensors'), join(whole, 'model.safetensors')]);
    expect(valuesIn(whole)).toEqual({ a: [1], b: [2], c: [3] });
  });

  test('a tensor that has been changed or removed since is an error that names it', () => {
    write(whole, { a: 1.5, b: 2, c: 3 });
    expect(() => valuesIn(part)).toThrow(UserError);
    expect(() => valuesIn(part)).toThrow(/shares "a" with .*whole.*, which has been changed/);
    write(whole, { b: 2, c: 3 });
    expect(() => openCheckpoint(part)).toThrow(/shares "a" with/);
  });

  test('the other folder must be there, and be next to this one', () => {
    rmSync(whole, { recursive: true });
    expect(() => openCheckpoint(part)).toThrow(/which is missing\. Copy both folders/);
    for (const folder of ['whole', '../../whole', '/whole', '..', '../.']) {
      writeFileSync(join(part, 'shared.json'), JSON.stringify({ folder, tensors: {} }));
      expect(() => openCheckpoint(part)).toThrow(/"folder" is .*, expected "\.\.\/NAME"/);
    }
  });

  test('no tensor may be in both files', () => {
    write(part, { a: 1, d: 4 });
    expect(() => openCheckpoint(part)).toThrow(/both have "a"/);
  });
});

/** Of names, types, shapes and bytes, however many files they are in. */
test.each([
  ['tiny', 'c0e4cb0bc1c52e914432cfd80cfe68c0b9f52eed2839d28c9cd31e4b8aa5012c'],
  ['tiny-base', '20ac093aa0ee71e73e847ef5bf9e2929e8d2def66d002013e6602ea66a498b25'],
])('the weights of checkpoints/%s are those that were trained', (name, digest) => {
  const hash = createHash('sha256');
  for (const [tensor, file] of [...openCheckpoint(join('checkpoints', name)).tensors].sort(([a], [b]) =>
    a < b ? -1 : 1,
  )) {
    const { buffer, byteOffset, byteLength } = file.read();
    hash
      .update(`${tensor} ${file.dtype} [${file.shape.join()}]\n`)
      .update(new Uint8Array(buffer, byteOffset, byteLength));
  }
  expect(hash.digest('hex')).toBe(digest);
});
