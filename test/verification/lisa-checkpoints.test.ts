/** The published form of LISA: what its chat program made of it, with and without the recording of the whole model. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import { verifyLisaCheckpoints } from '../../src/verification/lisa-checkpoints.js';
import { fixture } from '../helpers/fixtures.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-verify-lisa-published-'));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});
beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

const RECORDING = fixture('checkpoints-tiny-lisa');
const ALONE = [
  'published tensors: names, files, types, shapes',
  'published tensors: sums (worst of 454)',
  'chat: ids',
  'chat: what is printed and saved',
  'chat.0: pixels inside',
  'chat.1: pixels inside',
];

function altered(found: string, changed: string): string {
  const copy = mkdtempSync(join(scratch, 'copy-'));
  cpSync(RECORDING, copy, { recursive: true });
  const path = join(copy, 'expected.json');
  const text = readFileSync(path, 'utf8');
  expect(text.includes(found)).toBe(true);
  writeFileSync(path, text.replace(found, changed));
  return copy;
}

describe('verifyLisaCheckpoints', () => {
  test('passes in everything, and leaves no tensor behind', async () => {
    const before = tf.memory().numTensors;
    const items = await verifyLisaCheckpoints(RECORDING);
    expect(items.filter(({ pass }) => !pass)).toEqual([]);
    expect(items.map(({ item }) => item)).toEqual([
      ...ALONE.slice(0, 4),
      'chat: pictures (worst of 4)',
      ...ALONE.slice(4),
      'val.0.masks',
      'val.1.masks',
    ]);
    expect(tf.memory().numTensors).toBe(before);
  });

  test('alone it is compared with the heads that fit, without pictures and given answers', async () => {
    const items = await verifyLisaCheckpoints(altered('"about"', '"about"'));
    expect(items.filter(({ pass }) => !pass)).toEqual([]);
    expect(items.map(({ item }) => item)).toEqual(ALONE);
  });

  test('what is printed, and a tensor, that differ fail alone', async () => {
    const printed = await verifyLisaCheckpoints(altered('ASSISTANT:ks', 'ASSISTANT:sk'));
    expect(printed.filter(({ pass }) => !pass).map(({ item }) => item)).toEqual([ALONE[3]]);
    const typed = await verifyLisaCheckpoints(altered('"dtype": "bfloat16"', '"dtype": "float16"'));
    expect(typed.filter(({ pass }) => !pass).map(({ item }) => item)).toEqual([ALONE[0]]);
  });
});
