/** Both systems' models equal the recorded reference on every engine; and a recording or a model that differs is noticed. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../src/engine/engine.js';
import { loadBlas } from '../../src/engine/blas.js';
import * as tf from '../../src/engine/tf.js';
import { UserError } from '../../src/errors.js';
import { encodeImages, stackFeatures } from '../../src/features/image-features.js';
import { verifyAnswers } from '../../src/verification/model-answers.js';
import { ModelCase } from '../../src/verification/model-case.js';
import { verifyForward } from '../../src/verification/model-forward.js';
import { verifyLisaModel, verifyModel } from '../../src/verification/model.js';
import { alterFloat } from '../helpers/altered-tensor.js';
import { fixture } from '../helpers/fixtures.js';

const recording = fixture('gsva-tiny');
const folder = mkdtempSync(join(tmpdir(), 'gsva-verify-model-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** A copy of the recording. */
function copied(name: string): string {
  const copy = join(folder, name);
  cpSync(recording, copy, { recursive: true });
  return copy;
}

describe('verifyModel', () => {
  test.each(['openblas', 'wasm'])('passes in everything on %s, and leaves no tensor behind', async (engine) => {
    if (engine === 'openblas' && (await loadBlas(2)) === null) return;
    await startEngine({ engine });
    const before = tf.memory().numTensors;
    const items = await verifyModel(recording);
    expect(items.filter((item) => !item.pass)).toEqual([]);
    expect(items.length).toBe(30);
    expect(new Set(items.map(({ item }) => item)).size).toBe(items.length);
    expect(tf.memory().numTensors).toBe(before);
  });

  test("on TensorFlow.js's plain backend the forward pass and the answers pass (training takes minutes there)", async () => {
    await startEngine({ engine: 'cpu' });
    const recorded = new ModelCase(recording);
    const gsva = recorded.buildModel();
    const images = await encodeImages(gsva, await recorded.preparedImages());
    const pictures = stackFeatures(gsva, images);
    const forward = await verifyForward(gsva, recorded, pictures);
    const items = [...forward, ...(await verifyAnswers(gsva, recorded, images))];
    gsva.dispose();
    expect(items.filter((item) => !item.pass)).toEqual([]);
    expect(items.length).toBe(18);
    await startEngine();
  });

  test('single altered numbers of the recording fail, each in its own line', async () => {
    await startEngine();
    const copy = copied('altered');
    alterFloat(join(copy, 'case.safetensors'), 'out.low_res_masks.1', 7, 0.5);
    alterFloat(join(copy, 'case.safetensors'), 'eval.0.reeval.masks', 3, 2);
    alterFloat(join(copy, 'grads.safetensors'), 'base_model.model.lm_head.weight', 5, 1);
    alterFloat(join(copy, 'after_5_updates.safetensors'), 'base_model.model.lm_head.weight', 5, 1);
    const failed = (await verifyModel(copy)).filter((item) => !item.pass);
    expect(failed.map(({ item }) => item)).toEqual([
      'out.low_res_masks.1',
      'eval.0.reeval.masks',
      expect.stringMatching(/^gradients \(worst/),
      expect.stringMatching(/^updates: parameters afterwards/),
    ]);
  });

  test('an altered weight fails in many places', async () => {
    await startEngine();
    const name = 'base_model.model.model.layers.0.self_attn.q_proj.weight';
    const copy = copied('other-weight');
    alterFloat(join(copy, 'model.safetensors'), name, 0, 3);
    const items = await verifyModel(copy);
    expect(items.filter((item) => !item.pass).length).toBeGreaterThan(3);
  });

  test('a recording without a file or a tensor is a UserError that names it', async () => {
    await startEngine();
    const copy = copied('incomplete');
    rmSync(join(copy, 'grads.safetensors'));
    await expect(verifyModel(copy)).rejects.toThrow(UserError);
    await expect(verifyModel(copy)).rejects.toThrow('grads.safetensors');
    writeFileSync(join(copy, 'case.json'), '{}');
    await expect(verifyModel(copy)).rejects.toThrow('"original_sizes" is missing');
  });
});

const lisaRecording = fixture('lisa-tiny');

/** A copy of the recording in which numbers of its case.json are others. */
function altered(changes: readonly (readonly [found: RegExp, changed: string])[]): string {
  const copy = mkdtempSync(join(folder, 'copy-'));
  cpSync(lisaRecording, copy, { recursive: true });
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
    const items = await verifyLisaModel(lisaRecording);
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
