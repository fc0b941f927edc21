/** Choosing and starting an engine. */
import { afterEach, expect, jest, test } from '@jest/globals';
import { blasCandidates, coreTypeFor, loadBlas } from '../../src/engine/blas.js';
import { describeEngine, startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import { UsageError, UserError } from '../../src/errors.js';

afterEach(() => {
  delete process.env.GSVA_ENGINE;
  delete process.env.GSVA_BLAS;
});

test('an unknown engine is a usage error that lists the choices; planned ones are said to follow', async () => {
  await expect(startEngine({ engine: 'gpu' })).rejects.toThrow(UsageError);
  await expect(startEngine({ engine: 'gpu' })).rejects.toThrow(
    /Unknown engine 'gpu'.*auto, openblas, wasm, cpu, webgpu/,
  );
  await expect(startEngine({ engine: 'tensorflow' })).rejects.toThrow(/planned/);
  await expect(startEngine({ engine: 'toString' })).rejects.toThrow(/Unknown engine/);
  await expect(startEngine({ threads: 0 })).rejects.toThrow(UsageError);
});

test('GSVA_ENGINE is the default, an option goes before it', async () => {
  process.env.GSVA_ENGINE = 'cpu';
  expect((await startEngine()).name).toBe('cpu');
  expect(tf.getBackend()).toBe('cpu');
  expect((await startEngine({ engine: 'wasm' })).name).toBe('wasm');
  expect(tf.getBackend()).toBe('wasm');
});

test('starting twice gives what runs, also when asked at once', async () => {
  const [first, second] = await Promise.all([startEngine(), startEngine()]);
  expect(second).toBe(first);
  expect(await startEngine()).toBe(first);
});

test('the description is one line with threads and processor', async () => {
  const info = await startEngine();
  expect(describeEngine(info)).toMatch(/^(openblas|wasm): \d+ threads?, /);
  expect(describeEngine(info)).not.toContain('\n');
  const wasm = { name: 'wasm', threads: 1, device: 'CPU', blas: null, notice: null } as const;
  expect(describeEngine(wasm)).toBe('wasm: 1 thread, CPU');
});

test('a library named in GSVA_BLAS must load', async () => {
  process.env.GSVA_BLAS = '/nowhere/libblas.so';
  await expect(loadBlas(1)).rejects.toThrow(UserError);
  await expect(startEngine({ engine: 'openblas' })).rejects.toThrow(/GSVA_BLAS/);
});

test("TensorFlow.js's banner is not printed", async () => {
  const warn = jest.spyOn(console, 'warn').mockImplementation(() => undefined);
  await startEngine({ engine: 'cpu' });
  tf.add(tf.ones([2]), 1).dispose();
  expect(warn).not.toHaveBeenCalled();
  warn.mockRestore();
});

test('kernels for AVX-512 are asked for where OpenBLAS would not find out itself', () => {
  const flags = 'flags\t\t: fpu avx2 avx512f avx512dq avx512cd avx512bw avx512vl';
  expect(coreTypeFor(`vendor_id\t: AuthenticAMD\n${flags}\n`)).toBe('SkylakeX');
  expect(coreTypeFor(`vendor_id\t: GenuineIntel\n${flags}\n`)).toBeNull();
  expect(coreTypeFor('vendor_id\t: AuthenticAMD\nflags\t\t: fpu avx2\n')).toBeNull();
  expect(coreTypeFor('')).toBeNull();
});

test('libraries are looked for on every platform', () => {
  for (const os of ['linux', 'darwin', 'win32'] as const) expect(blasCandidates(os).length).toBeGreaterThan(0);
});
