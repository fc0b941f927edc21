/** SELF1E's model equals the recorded reference; a recording, a model or a folder that differs is noticed where it does. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { decodeMask, encodeMask, rleFromString, rleToString } from '../../src/data/masks/coco-mask.js';
import { loadBlas } from '../../src/engine/blas.js';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import { openModel } from '../../src/inference/open-model.js';
import type { Self1eConfig } from '../../src/systems/self1e/config.js';
import { Self1eCase } from '../../src/verification/self1e-case.js';
import { verifySelf1eForward } from '../../src/verification/self1e-forward.js';
import { verifySelf1eModel } from '../../src/verification/self1e-model.js';
import type { VerifyItem } from '../../src/verification/verify-item.js';
import { fixture } from '../helpers/fixtures.js';
import { alterFloat } from '../helpers/altered-tensor.js';
import { folder as internVlFolder, removeFolders } from '../systems/self1e/internvl-folder.js';

const recording = fixture('self1e-tiny');
const folder = mkdtempSync(join(tmpdir(), 'gsva-verify-self1e-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
  removeFolders();
});

type Json = Record<string, unknown>;

/** A copy of the recording next to its tokenizer and, where `withData`, the datasets. */
function copied(withData = false): string {
  const root = mkdtempSync(join(folder, 'copy-'));
  const copy = join(root, 'self1e-tiny');
  cpSync(recording, copy, { recursive: true });
  cpSync(fixture('self1e-tokenizer'), join(root, 'self1e-tokenizer'), { recursive: true });
  mkdirSync(join(root, 'datasets'));
  if (withData) cpSync(fixture('datasets', 'data'), join(root, 'datasets', 'data'), { recursive: true });
  return copy;
}

/** Changes case.json as a text, once. */
function rewrite(copy: string, found: RegExp | string, changed: string): void {
  const path = join(copy, 'case.json');
  const text = readFileSync(path, 'utf8');
  const other = text.replace(found, changed);
  expect(other).not.toBe(text);
  writeFileSync(path, other);
}

/** Turns the first pixels of the first mask of a set. */
function turnPixels(copy: string, set: string, count: number): void {
  const path = join(copy, 'case.json');
  const json = JSON.parse(readFileSync(path, 'utf8')) as RecordedMasks;
  const picture = json.eval[set]?.images[0];
  if (picture === undefined) throw new Error(`there is no ${set}`);
  const mask = decodeMask(rleFromString(picture.masks[0] as string, ...picture.size));
  for (let i = 0; i < count; i++) mask.data[i] = 1 - (mask.data[i] as number);
  picture.masks[0] = rleToString(encodeMask(mask));
  writeFileSync(path, JSON.stringify(json, null, 1));
}

interface RecordedMasks {
  readonly eval: Readonly<Record<string, { readonly images: { masks: string[]; size: [number, number] }[] }>>;
}

const failed = (items: readonly VerifyItem[]): string[] => items.filter(({ pass }) => !pass).map(({ item }) => item);

describe('verifySelf1eModel', () => {
  test.each(['openblas', 'wasm'])('passes in everything on %s, and leaves no tensor behind', async (engine) => {
    if (engine === 'openblas' && (await loadBlas(2)) === null) return;
    await startEngine({ engine });
    const before = tf.memory().numTensors;
    const items = await verifySelf1eModel(recording);
    expect(failed(items)).toEqual([]);
    expect(items.length).toBe(101);
    expect(new Set(items.map(({ item }) => item)).size).toBe(items.length);
    expect(tf.memory().numTensors).toBe(before);
  });

  test("on TensorFlow.js's plain backend the forward pass passes", async () => {
    await startEngine({ engine: 'cpu' });
    const recorded = new Self1eCase(recording);
    const network = recorded.buildModel();
    const items = await verifySelf1eForward(network, recorded);
    network.dispose();
    expect(failed(items)).toEqual([]);
    expect(items.length).toBe(50);
    await startEngine();
  });

  test('single altered numbers of the tensors fail, each in its own line', async () => {
    await startEngine();
    const copy = copied();
    const tensors = join(copy, 'case.safetensors');
    alterFloat(tensors, 'hq', 5, 3);
    alterFloat(tensors, 'head.1.logits_low', 3, 2);
    alterFloat(tensors, 'extra.two_seg.logits', 400, 2);
    alterFloat(tensors, 'extra.position_embedding', 9, 1);
    alterFloat(tensors, 'published.logits', 7, 2);
    alterFloat(tensors, 'eval.3.logits', 7, 2);
    alterFloat(tensors, 'chat.1.first_logits', 7, 0.5);
    alterFloat(tensors, 'grad.head.0.query', 0, 1);
    alterFloat(join(copy, 'grads.safetensors'), 'language_model.base_model.model.lm_head.weight', 5, 1);
    alterFloat(join(copy, 'after_5_updates.safetensors'), 'mlp1.1.weight', 5, 1);
    expect(failed(await verifySelf1eModel(copy))).toEqual([
      'hq',
      'extra.position_embedding',
      'head.1.logits_low',
      'extra.two_seg.logits',
      'published.logits',
      'eval.3: logits, from the texts',
      'chat.1.first_logits',
      'grad.head.0.query',
      expect.stringMatching(/^gradients \(worst/),
      expect.stringMatching(/^updates: parameters afterwards/),
    ]);
  });

  test('altered words, masks and figures of case.json fail, each in its own line', async () => {
    await startEngine();
    const copy = copied(true);
    rewrite(copy, 'Can you segment the red circle in this image?', 'Can you segment the red circles in this image?');
    // Fewer than may differ: the mask passes, and its overlap is another one.
    turnPixels(copy, 'refcoco|unc|val', 4);
    rewrite(copy, /"ciou": 0\.0386/, '"ciou": 0.0387');
    rewrite(copy, /("intersection": \[\s*)374/, '$1373');
    rewrite(copy, '"question": "How many shapes?"', '"question": "How many shape?"');
    rewrite(copy, /"ce_loss": 8\.829/, '"ce_loss": 8.83');
    expect(failed(await verifySelf1eModel(copy)).sort()).toEqual([
      'chat.*.input_ids: ids of the questions',
      'input_ids: ids of the recorded texts',
      'labels: which tokens are supervised',
      'losses (worst of 5)',
      'refcoco|unc|val: cIoU',
      'refcoco|unc|val: gIoU',
      'refcoco|unc|val: intersections and unions',
    ]);
  });

  test('a mask that differs in more pixels than lie near 0 fails', async () => {
    await startEngine();
    const copy = copied();
    turnPixels(copy, 'ReasonSeg|val', 1);
    expect(failed(await verifySelf1eModel(copy))).toEqual(['eval.2: masks']);
  });

  test('an altered weight fails in many places', async () => {
    await startEngine();
    const copy = copied();
    alterFloat(join(copy, 'model.safetensors'), 'mlp1.1.weight', 0, 3);
    expect(failed(await verifySelf1eModel(copy)).length).toBeGreaterThan(10);
  });

  test('a tensor that nobody compares is named', async () => {
    await startEngine();
    const copy = copied();
    // Without its batch the tensors b.* stand for nothing; the updates need it, so that all of training goes with it.
    rewrite(copy, '"micro_batches": [\n   "batch",\n   "batch_b"', '"micro_batches": [\n   "batch",\n   "batch"');
    rewrite(copy, '"batch_b":', '"other":');
    const items = await verifySelf1eModel(copy);
    const [item] = items.filter((each) => each.item.startsWith('tensors of the recording'));
    expect(item?.pass).toBe(false);
    expect(item?.detail).toContain('b.pixel_values');
  });

  test('tiles that do not fit the ids are one clear line', async () => {
    await startEngine();
    const copy = copied();
    rewrite(copy, /("tiles": \[\s*\[\s*)2,/, '$13,');
    await expect(verifySelf1eModel(copy)).rejects.toThrow('row 0 has 2 tiles in a grid of 3 × 1');
  });

  test('a recording without its tokenizer, a tensor or a key is a UserError that names it', async () => {
    await startEngine();
    const copy = copied();
    rmSync(join(copy, '..', 'self1e-tokenizer'), { recursive: true });
    const items = await verifySelf1eModel(copy);
    expect(items.find(({ item }) => item === 'answers')).toMatchObject({ pass: false });
    expect(items.find(({ item }) => item === 'answers')?.detail).toContain('self1e-tokenizer, is missing');
    writeFileSync(join(copy, 'case.json'), '{}');
    await expect(verifySelf1eModel(copy)).rejects.toThrow('case.json does not describe its pictures');
    const json = JSON.parse(readFileSync(join(copy, 'config.json'), 'utf8')) as Json;
    writeFileSync(join(copy, 'config.json'), JSON.stringify({ ...json, self1e: {} }));
    await expect(verifySelf1eModel(copy)).rejects.toThrow('"lora" is missing');
  });
});

describe('another model compared with the recorded one', () => {
  test('the training checkpoint under its published names is the recorded one', async () => {
    await startEngine();
    const subject = await openModel<Self1eConfig>(internVlFolder('training'));
    const items = await verifySelf1eModel(recording, subject);
    expect(failed(items)).toEqual([]);
    expect(items.slice(0, 3).map(({ item }) => item)).toEqual(['sizes', 'weights: names', 'weights']);
    expect(items.length).toBe(104);
  });

  test('the published folder, merged and in 16 bits, is the recorded one; training is left out', async () => {
    await startEngine();
    const subject = await openModel<Self1eConfig>(internVlFolder('published'));
    const items = await verifySelf1eModel(recording, subject);
    expect(failed(items)).toEqual([]);
    expect(items.some(({ item }) => item.startsWith('gradients'))).toBe(false);
  });

  test('another weight is noticed by name', async () => {
    await startEngine();
    const subject = await openModel<Self1eConfig>(internVlFolder('training'));
    const [name = '', tensor] = [...subject.tensors].find(([each]) => each.includes('mlp1.1.weight')) ?? [];
    if (tensor === undefined) throw new Error('there is no mlp1.1.weight');
    const read = (): Float32Array => Float32Array.from(tensor.read() as Float32Array, (value) => 2 * value);
    const tensors = new Map([...subject.tensors, [name, { ...tensor, read }]]);
    const items = await verifySelf1eModel(recording, { ...subject, tensors });
    expect(failed(items)).toEqual(expect.arrayContaining(['weights', 'v1', 'hq']));
    expect(items.find(({ item }) => item === 'weights')?.detail).toContain('mlp1.1.weight');
  });
});
