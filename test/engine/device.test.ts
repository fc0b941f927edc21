/** Which device is asked for, and what CUDA is shown of it. */
import { describe, expect, test } from '@jest/globals';
import { cudaVisibleDevices, deviceName, parseDevice } from '../../src/engine/device.js';
import { UsageError, UserError } from '../../src/errors.js';

describe('a device', () => {
  test('is cpu, gpu or gpu:NUMBER; nothing is no choice', () => {
    expect(parseDevice(undefined)).toBeNull();
    expect(parseDevice('')).toBeNull();
    expect(parseDevice('cpu')).toEqual({ kind: 'cpu' });
    expect(parseDevice('gpu')).toEqual({ kind: 'gpu', index: 0 });
    expect(parseDevice('gpu:12')).toEqual({ kind: 'gpu', index: 12 });
    expect(deviceName({ kind: 'gpu', index: 1 })).toBe('gpu:1');
  });

  test.each(['cuda', 'gpu:', 'gpu:-1', 'gpu:1.5', 'GPU', 'gpu:1234', 'cpu:0'])('%s is a usage error', (text) => {
    expect(() => parseDevice(text)).toThrow(UsageError);
  });
});

describe('CUDA_VISIBLE_DEVICES shows one device', () => {
  const second = { kind: 'gpu', index: 1 } as const;

  test('counted among those that the user shows, and hides all for cpu', () => {
    expect(cudaVisibleDevices(second, undefined)).toBe('1');
    expect(cudaVisibleDevices(second, '3, 5')).toBe('5');
    expect(cudaVisibleDevices(second, 'GPU-a,GPU-b')).toBe('GPU-b');
    expect(cudaVisibleDevices(null, undefined)).toBe('0');
    expect(cudaVisibleDevices(null, '2,3')).toBe('2');
    expect(cudaVisibleDevices({ kind: 'cpu' }, '2,3')).toBe('-1');
  });

  test('a GPU that is hidden is refused when it was asked for, else there is none', () => {
    for (const hidden of ['', '-1', '0', '0,-1,1']) {
      expect(() => cudaVisibleDevices(second, hidden)).toThrow(UserError);
    }
    expect(() => cudaVisibleDevices(second, '0')).toThrow(/gpu:1.*CUDA_VISIBLE_DEVICES is "0"/);
    expect(cudaVisibleDevices(null, '')).toBe('-1');
  });
});
