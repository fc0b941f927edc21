/** LISA's network equals the recorded reference on every engine, and a recording that differs is noticed. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { loadBlas } from '../../src/engine/blas.js';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import { verifyLisaModel } from '../../src/verification/lisa-model.js';
import { fixture } from '../helpers/fixtures.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-verify-lisa-'));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

const RECORDING = fixture('lisa-tiny');

/** A copy of the recording in which numbers of its case.json are others. */
function altered(changes: readonly (readonly [found: RegExp, changed: string])[]): string {
  const copy = mkdtempSync(join(scratch, 'copy-'));
  cpSync(RECORDING, copy, { recursive: true });
  const path = join(copy, 'case.json');
  let text = readFileSync(path, 'utf8');
  for (const [found, changed] of changes) {
    expect(found.test(text)).toBe(true);
    text = text.replace(found, changed);
  }
  writeFileSync(path, text);
  return copy;
}

describe('verifyLisaModel', () => {
  test.each(['openblas', 'wasm'])('passes in everything on %s, and leaves no tensor behind', async (engine) => {
    if (engine === 'openblas' && (await loadBlas(2)) === null) return;
    await startEngine({ engine });
    const before = tf.memory().numTensors;
    const items = await verifyLisaModel(RECORDING);
    expect(items.filter((item) => !item.pass)).toEqual([]);
    expect(items.length).toBe(42);
    expect(new Set(items.map(({ item }) => item)).size).toBe(items.length);
    expect(tf.memory().numTensors).toBe(before);
  });

  test('a loss, a norm and an area that were altered fail, and nothing else', async () => {
    await startEngine({ engine: 'wasm' });
    const items = await verifyLisaModel(
      altered([
        [/"ce_loss": 6\.77625/, '"ce_loss": 6.77725'],
        [/"grad_norm": 7\.1521/, '"grad_norm": 7.1621'],
        [/"positive": \[\s*397/, '"positive": [ 396'],
      ]),
    );
    const failed = items.filter(({ pass }) => !pass).map((each) => each.item);
    expect(failed.sort()).toEqual(['gradient norm (worst of 1)', 'losses (worst of 5)', 'val.0: pixels inside']);
  });
});
