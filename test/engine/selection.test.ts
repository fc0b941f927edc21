/** The order in which `auto` looks for an engine, on every kind of machine. */
import { describe, expect, test } from '@jest/globals';
import type { DeviceChoice } from '../../src/engine/device.js';
import { type Candidate, type Offer, startFastest } from '../../src/engine/selection.js';

interface Started extends Candidate {
  readonly name: string;
}

/** A machine, and what works on it. */
interface Machine {
  readonly tensorflow?: 'cpu' | 'gpu' | 'unreadable';
  /** Whether TensorFlow finds a GPU. */
  readonly cuda?: boolean;
  readonly tensorflowFails?: boolean;
  readonly card?: boolean;
  readonly webGpuFails?: boolean;
  readonly blas?: boolean;
}

function offerOf(machine: Machine, asked: string[]): Offer<Started> {
  return {
    tensorflow: () => {
      if (machine.tensorflow === 'unreadable') throw new Error('unreadable note');
      return machine.tensorflow ?? null;
    },
    hasRealGpu: () => {
      asked.push('card?');
      return Promise.resolve(machine.card === true);
    },
    startTensorflow: () => {
      asked.push('tensorflow');
      if (machine.tensorflowFails === true) return Promise.reject(new Error('broken addon'));
      const gpu = machine.tensorflow === 'gpu' && machine.cuda === true ? { device: 'H200' } : {};
      return Promise.resolve({ name: 'tensorflow', notice: null, ...gpu });
    },
    startWebGpu: () => {
      asked.push('webgpu');
      if (machine.webGpuFails === true) return Promise.reject(new Error('no device'));
      return Promise.resolve({ name: 'webgpu', device: 'Arc', notice: null });
    },
    startOpenBlas: () => Promise.resolve(machine.blas === true ? { name: 'openblas', notice: null } : null),
    startWasm: () => Promise.resolve({ name: 'wasm', notice: 'install BLAS' }),
  };
}

const choose = async (machine: Machine, device: DeviceChoice = null): Promise<Started & { asked: string[] }> => {
  const asked: string[] = [];
  return { ...(await startFastest(device, offerOf(machine, asked))), asked };
};

describe('without a wish', () => {
  test.each<[string, Machine, string]>([
    ['TensorFlow with CUDA before all', { tensorflow: 'gpu', cuda: true, card: true, blas: true }, 'tensorflow'],
    ['a card before TensorFlow on the CPU', { tensorflow: 'cpu', card: true, blas: true }, 'webgpu'],
    ['a card that CUDA does not know', { tensorflow: 'gpu', cuda: false, card: true }, 'webgpu'],
    ['TensorFlow on the CPU before OpenBLAS', { tensorflow: 'cpu', blas: true }, 'tensorflow'],
    ['TensorFlow for GPUs where there is none', { tensorflow: 'gpu', cuda: false, blas: true }, 'tensorflow'],
    ['a card alone', { card: true, blas: true }, 'webgpu'],
    ['OpenBLAS', { blas: true }, 'openblas'],
    ['nothing but Node', {}, 'wasm'],
  ])('%s', async (_, machine, name) => {
    expect((await choose(machine)).name).toBe(name);
  });

  test('a GPU that TensorFlow has is not looked for again', async () => {
    expect((await choose({ tensorflow: 'gpu', cuda: true })).asked).toEqual(['tensorflow']);
  });

  test.each<[string, Machine, string, RegExp]>([
    ['TensorFlow', { tensorflow: 'cpu', tensorflowFails: true, blas: true }, 'openblas', /broken addon/],
    ['TensorFlow for GPUs', { tensorflow: 'gpu', tensorflowFails: true, blas: true }, 'openblas', /^broken addon$/],
    ['its note', { tensorflow: 'unreadable', blas: true }, 'openblas', /unreadable note/],
    ['the card', { tensorflow: 'cpu', card: true, webGpuFails: true }, 'tensorflow', /no device/],
    ['all but WASM', { tensorflow: 'cpu', tensorflowFails: true }, 'wasm', /broken addon install BLAS/],
  ])('what is there and does not work is passed over and told: %s', async (_, machine, name, notice) => {
    const started = await choose(machine);
    expect(started.name).toBe(name);
    expect(started.notice).toMatch(notice);
  });
});

test('--device cpu: no card is even looked for', async () => {
  const machine = { tensorflow: 'gpu', cuda: true, card: true } as const;
  expect(await choose(machine, { kind: 'cpu' })).toMatchObject({ name: 'tensorflow', asked: ['tensorflow'] });
  expect(await choose({ card: true, blas: true }, { kind: 'cpu' })).toMatchObject({ name: 'openblas', asked: [] });
});

describe('--device gpu', () => {
  const gpu = (index: number): DeviceChoice => ({ kind: 'gpu', index });

  test('TensorFlow where it was set up for GPUs, else a card', async () => {
    expect(await choose({ tensorflow: 'gpu', cuda: true, card: true }, gpu(1))).toMatchObject({ name: 'tensorflow' });
    expect(await choose({ tensorflow: 'cpu', card: true }, gpu(0))).toMatchObject({ name: 'webgpu' });
  });

  test('is never answered by a processor', async () => {
    await expect(choose({ tensorflow: 'cpu', blas: true }, gpu(0))).rejects.toThrow(/CPU only.*setup tensorflow --gpu/);
    await expect(choose({ card: true }, gpu(1))).rejects.toThrow(/gpu:1.*not set up/);
    await expect(choose({ tensorflow: 'gpu', tensorflowFails: true, card: true }, gpu(0))).rejects.toThrow('broken');
  });
});
