/**
 * The engine tensorflow: what it refuses, and, where `gsva setup tensorflow` has been run, that it computes on our
 * copy of tfjs-core, agrees with the JavaScript backend and leaves nothing behind.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { startEngine } from '../../src/engine/engine.js';
import { layerNorm, linear, maskedSoftmax } from '../../src/engine/fused-ops.js';
import { findInstallation, folderToInstallIn, installationFolders } from '../../src/engine/tensorflow-installation.js';
import * as tf from '../../src/engine/tf.js';
import { UserError } from '../../src/errors.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-tensorflow-'));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

const installed = findInstallation() !== null;
const whereInstalled = installed ? describe : describe.skip;
if (!installed)
  process.stderr.write('tests of the engine tensorflow are skipped: `gsva setup tensorflow` was not run\n');

describe('what is not there', () => {
  const named = process.env.GSVA_TENSORFLOW;
  afterEach(() => {
    if (named === undefined) delete process.env.GSVA_TENSORFLOW;
    else process.env.GSVA_TENSORFLOW = named;
    delete process.env.GSVA_DEVICE;
  });

  const leaveNote = (note: object): void => {
    process.env.GSVA_TENSORFLOW = scratch;
    writeFileSync(join(scratch, 'installation.json'), JSON.stringify(note));
  };
  const cpuNote = { version: 1, package: '@tensorflow/tfjs-node', packageVersion: '4.22.0', gpu: false, source: 'x' };

  test('not set up: an error that says how', async () => {
    process.env.GSVA_TENSORFLOW = join(scratch, 'nothing');
    await expect(startEngine({ engine: 'tensorflow' })).rejects.toThrow(/not set up.*gsva\.js setup tensorflow`/);
    await expect(startEngine({ device: 'gpu' })).rejects.toThrow(/not set up.*gsva\.js setup tensorflow --gpu/);
  });

  test('auto takes something else where it is not set up, and says so where it does not load', async () => {
    process.env.GSVA_TENSORFLOW = join(scratch, 'nothing');
    expect((await startEngine({ engine: 'auto', threads: 1 })).name).toMatch(/openblas|wasm/);
    leaveNote(cpuNote);
    const info = await startEngine({ engine: 'auto', threads: 2 });
    expect(info.name).toMatch(/openblas|wasm/);
    expect(info.notice).toMatch(/loading it from .* failed.*gsva\.js setup tensorflow/);
  });

  test('a GPU that was asked for is refused by what computes on the CPU, without a fall to it', async () => {
    leaveNote(cpuNote);
    await expect(startEngine({ engine: 'tensorflow', device: 'gpu:1' })).rejects.toThrow(/gpu:1.*CPU only.*--gpu/);
    await expect(startEngine({ device: 'gpu' })).rejects.toThrow(/CPU only/);
    for (const engine of ['openblas', 'wasm', 'cpu']) {
      await expect(startEngine({ engine, device: 'gpu' })).rejects.toThrow(UserError);
    }
    process.env.GSVA_DEVICE = 'gpu';
    await expect(startEngine({ engine: 'wasm' })).rejects.toThrow(/engine wasm on gpu:0/);
    expect((await startEngine({ engine: 'wasm', device: 'cpu' })).name).toBe('wasm');
  });

  test('a note of another version, or none of ours, is an error that names the file', async () => {
    leaveNote({ ...cpuNote, version: 99 });
    expect(() => findInstallation()).toThrow(/installation\.json.*version 1, found 99/);
    writeFileSync(join(scratch, 'installation.json'), 'no JSON');
    await expect(startEngine({ engine: 'tensorflow' })).rejects.toThrow(/installation\.json/);
  });

  test('it lies in GSVA_TENSORFLOW, else in the package, else in the home folder where that can be written', () => {
    process.env.GSVA_TENSORFLOW = scratch;
    expect(installationFolders()).toEqual([scratch]);
    delete process.env.GSVA_TENSORFLOW;
    expect(installationFolders()).toHaveLength(2);
    expect(installationFolders()[0]).toMatch(/\.gsva.tensorflow$/);
    const file = join(scratch, 'file');
    writeFileSync(file, '');
    expect(folderToInstallIn([join(file, 'below'), join(scratch, 'a', 'b')])).toBe(join(scratch, 'a', 'b'));
  });
});

whereInstalled('the engine tensorflow', () => {
  beforeAll(async () => {
    await startEngine({ engine: 'tensorflow', threads: 1, device: 'cpu' });
  });

  test('starts without a word on the CPU, with its kernels in the registry of our tfjs-core', async () => {
    const spies = (['log', 'warn', 'error'] as const).map((name) => jest.spyOn(console, name));
    const info = await startEngine({ engine: 'tensorflow', threads: 1, device: 'cpu' });
    expect(info).toMatchObject({ name: 'tensorflow', threads: 1, notice: null });
    expect(info.blas).toMatch(/^TensorFlow/);
    expect(tf.getBackend()).toBe('tensorflow');
    expect(tf.getKernelsForBackend('tensorflow').length).toBeGreaterThan(140);
    const sum = tf.add(tf.tensor1d([1, 2]), 1);
    expect(sum).toBeInstanceOf(tf.Tensor);
    expect([...sum.dataSync()]).toEqual([2, 3]);
    sum.dispose();
    for (const spy of spies) {
      expect(spy).not.toHaveBeenCalled();
      spy.mockRestore();
    }
  });

  test.each([2 ** 18, 16])('a tensor of %d numbers is right, also where its array is used again', (size) => {
    const numbers = new Float32Array(size).fill(1);
    const tensor = tf.tensor1d(numbers);
    const copied = size > 1000; // at once, so that the array need not stay in memory
    if (copied) numbers.fill(2);
    expect(tf.tidy(() => tf.sum(tensor).dataSync()[0])).toBe(size);
    expect(tensor.dataSync()[size - 1]).toBe(1);
    tensor.dispose();
  });

  test('cannot change to a GPU that is not there', async () => {
    await expect(startEngine({ engine: 'tensorflow', threads: 1, device: 'gpu:7' })).rejects.toThrow(UserError);
  });

  test('values and gradients agree with the JavaScript backend, and no tensor is left', async () => {
    const image = tf.util.createShuffledIndices(2 * 9 * 9 * 3);
    const compute = (): number[] => {
      const before = tf.memory().numTensors;
      const values = tf.tidy(() => {
        const input = tf.reshape<tf.Rank.R4>(tf.tensor1d(Float32Array.from(image, (v) => v / 400 - 0.5)), [2, 9, 9, 3]);
        const filter = tf.reshape<tf.Rank.R4>(tf.sin(tf.range(0, 3 * 3 * 3 * 4)), [3, 3, 3, 4]);
        const weight = tf.reshape<tf.Rank.R2>(tf.cos(tf.range(0, 16)), [4, 4]);
        const loss = (x: tf.Tensor, w: tf.Tensor, d: tf.Tensor): tf.Scalar => {
          const maps = tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, 'same');
          const small = tf.image.resizeBilinear(maps, [5, 7], false, true);
          const rows = layerNorm(linear(small, d as tf.Tensor2D, null), tf.ones([4]), tf.zeros([4]), 1e-5);
          const scores = tf.matMul<tf.Tensor4D>(rows, rows, false, true);
          return tf.sum(tf.square(maskedSoftmax(scores, { causalOffset: 0, scale: 0.5 })));
        };
        const { value, grads } = tf.valueAndGrads(loss)([input, filter, weight]);
        return [value, ...grads].flatMap((tensor) => [...tensor.dataSync()]);
      });
      expect(tf.memory().numTensors).toBe(before);
      return values;
    };
    const found = compute();
    await startEngine({ engine: 'cpu' });
    const expected = compute();
    await startEngine({ engine: 'tensorflow', threads: 1, device: 'cpu' });
    const largest = Math.max(...expected.map(Math.abs));
    expect(found).toHaveLength(expected.length);
    const worst = Math.max(...found.map((value, i) => Math.abs(value - (expected[i] ?? NaN))));
    expect(worst / largest).toBeLessThan(1e-5);
  });
});
