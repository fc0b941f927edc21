/** One engine for all models of a process: joined, refused, given up with the last, and watched. */
import { afterAll, expect, test } from '@jest/globals';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import { shareEngine } from '../../src/inference/engine-in-use.js';

afterAll(() => startEngine({ engine: 'wasm' }));

test('joined by who asks for the same or for nothing, refused to others, free after the last', async () => {
  const options = { engine: 'wasm', threads: 3, device: 'cpu' };
  const [first, second, other] = await Promise.allSettled([
    shareEngine(options),
    shareEngine({}),
    shareEngine({ engine: 'cpu' }),
  ]);
  expect(other).toMatchObject({ status: 'rejected', reason: { code: 'engine' } });
  if (first.status === 'rejected' || second.status === 'rejected') throw new Error('not started');
  const same = await shareEngine(options);
  expect([first.value, second.value, same].map(({ info }) => info.name)).toEqual(['wasm', 'wasm', 'wasm']);
  first.value.end();
  same.end();
  await expect(shareEngine({ engine: 'cpu' })).rejects.toThrow('share one engine');
  second.value.end();
  const cpu = await shareEngine({ engine: 'cpu' });
  expect(cpu.info.name).toBe('cpu');
  cpu.check();
  await tf.setBackend('wasm');
  expect(() => {
    cpu.check();
  }).toThrow('backend "cpu", and "wasm" is in its place now');
  cpu.end();
});

test('an engine that cannot start is refused, and the next one starts', async () => {
  await expect(shareEngine({ engine: 'none' })).rejects.toMatchObject({ code: 'bad-option' });
  const share = await shareEngine({ engine: 'wasm' });
  expect(share.info.name).toBe('wasm');
  share.end();
});
