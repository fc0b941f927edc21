/** What the machine says of itself is in bounds, and sizes are written as people read them. */
import { existsSync, readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { expect, test } from '@jest/globals';
import { bytesText, containerProcessors, freeDisk, machineMemory, nvidiaDriver } from '../src/machine.js';

test.each([
  [0, '0 bytes'],
  [1023, '1023 bytes'],
  [1536, '2 KiB'],
  [180 * 2 ** 20, '180 MiB'],
  [1.5 * 2 ** 30, '1.5 GiB'],
  [24 * 2 ** 30, '24 GiB'],
  [2 ** 41, '2.0 TiB'],
  [2 ** 60, '1048576 TiB'],
])('%d bytes are %s', (bytes, text) => {
  expect(bytesText(bytes)).toBe(text);
});

test('memory: what is available is no more than there is', () => {
  const { total, available, containerLimit } = machineMemory();
  expect(total).toBe(totalmem());
  expect(available).toBeGreaterThan(0);
  expect(available).toBeLessThanOrEqual(containerLimit ?? total);
});

test('disk: of a folder that will be made it is that of the one above', () => {
  const here = freeDisk('.');
  expect(here).toBeGreaterThan(0);
  expect(Math.abs((freeDisk('nowhere/yet') ?? 0) - (here ?? 0))).toBeLessThan(2 ** 30);
});

test('a limit of processors is positive; a driver is seen only where NVIDIA has left its file', () => {
  const limit = containerProcessors();
  expect(limit === null || limit > 0).toBe(true);
  const file = '/proc/driver/nvidia/version';
  const version = nvidiaDriver();
  if (existsSync(file)) expect(readFileSync(file, 'latin1')).toContain(version);
  else expect(version).toBeNull();
});
