/** The share of a machine that a rank computes with. */
import { availableParallelism } from 'node:os';
import { describe, expect, test } from '@jest/globals';
import { type Launch, shareOf } from '../../../src/training/distributed/launch.js';

const launch: Launch = { family: 'openmpi', size: 16, localRank: 5, localSize: 8 };
const none = { engine: undefined, device: undefined, threads: undefined };

describe('shareOf', () => {
  test('gives each rank a GPU in turn, and its part of the processors', () => {
    const threads = Math.max(1, Math.floor(availableParallelism() / 8));
    expect(shareOf(none, launch, {}, 8)).toEqual({ ...none, device: 'gpu:5', threads });
    expect(shareOf(none, launch, {}, 4).device).toBe('gpu:1');
  });

  test('counts the GPUs that CUDA_VISIBLE_DEVICES shows', () => {
    expect(shareOf(none, launch, { CUDA_VISIBLE_DEVICES: '2,6' }, 8).device).toBe('gpu:1');
    // Slurm shows each task its own one.
    expect(shareOf(none, launch, { CUDA_VISIBLE_DEVICES: '5' }, 8).device).toBeUndefined();
    expect(shareOf(none, launch, { CUDA_VISIBLE_DEVICES: '' }, 8).device).toBeUndefined();
  });

  test('leaves what the user chose', () => {
    expect(shareOf({ ...none, device: 'cpu', threads: 3 }, launch, {}, 8)).toMatchObject({ device: 'cpu', threads: 3 });
    expect(shareOf(none, launch, { GSVA_DEVICE: 'gpu:2' }, 8).device).toBeUndefined();
  });
});
