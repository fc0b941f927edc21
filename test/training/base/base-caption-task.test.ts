/** The base's caption task: what it supervises, figures of validation, one step, checkpoints by its callbacks. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../../src/engine/engine.js';
import * as tf from '../../../src/engine/tf.js';
import type { LlavaSam } from '../../../src/systems/shared/llava-sam.js';
import { Random } from '../../../src/random.js';
import { BaseCaptionTask } from '../../../src/training/base/base-caption-task.js';
import { ScenePool } from '../../../src/training/base/base-task.js';
import { SMALL_TEXT, smallTokenizer } from '../../helpers/small-experiment.js';
import { smallModel } from '../../helpers/small-model.js';
import { variablesOf } from '../../helpers/tensors.js';

const tokenizer = smallTokenizer();
let gsva: LlavaSam;

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
  gsva = smallModel(5, SMALL_TEXT);
});

afterAll(() => {
  gsva.dispose();
});

function makeTask(model = gsva, calls: string[] = []): BaseCaptionTask {
  return new BaseCaptionTask({
    gsva: model,
    tokenizer,
    conversation: 'plain',
    maxLength: 400,
    pool: new ScenePool(2),
    scenes: 4,
    validationScenes: 18, // more than one batch, the last one small
    save: () => {
      calls.push('save');
      return Promise.resolve([]);
    },
    load: (dir) => Promise.resolve(void calls.push(`load ${dir}`)),
  });
}

test('prepare: the caption is supervised, and nothing else; the same draw gives the same sample', async () => {
  const task = makeTask();
  const [a, b, c] = [7, 7, 8].map((seed) => task.prepare(1, new Random(seed)));
  expect(tokenizer.decode(a?.conversation.labels.filter((label) => label >= 0) ?? [])).toMatch(
    /^( \w+ (circle|square|triangle|bar) [a-h][1-8][,.])+<\/s>$/,
  );
  expect(a).toEqual(b);
  expect(a?.conversation).not.toEqual(c?.conversation);
  expect(a?.input).toEqual(c?.input);
});

test('forwardBackward: a step along the gradients lowers the loss; F_V1 is left alone; only they are left behind', async () => {
  const task = makeTask();
  const batch = [0, 1].map((index) => task.prepare(index, new Random(index)));
  const before = tf.memory().numTensors;
  const first = await task.forwardBackward(batch);
  expect(tf.memory().numTensors).toBe(before + first.gradients.size);
  expect([...first.gradients.keys()].some((name) => /vision_tower|visual_model/.test(name))).toBe(false);
  for (const [name, gradient] of first.gradients) {
    const variable = task.variables.get(name) as tf.Variable;
    tf.tidy(() => {
      variable.assign(tf.sub(variable, tf.mul(gradient, 1e-3)));
    });
  }
  const second = await task.forwardBackward(batch);
  expect(second.losses['loss']).toBeLessThan(first.losses['loss'] ?? 0);
  tf.dispose([...first.gradients.values(), ...second.gradients.values()]);
  expect(tf.memory().numTensors).toBe(before);
});

describe('validate', () => {
  test('shares lie in [0, 1], the same every time, and leave nothing behind', async () => {
    const task = makeTask();
    const before = tf.memory().numTensors;
    const shares = await task.validate();
    expect(Object.keys(shares)).toEqual(['tokens', 'blind']);
    for (const share of Object.values(shares)) expect(share >= 0 && share <= 1).toBe(true);
    expect(await task.validate()).toEqual(shares);
    expect(tf.memory().numTensors).toBe(before);
  });

  test('one who always writes the same word is right where it stands, whatever the image', async () => {
    const dull = smallModel(5, SMALL_TEXT);
    const head = variablesOf(dull).get('lm_head.weight') as tf.Variable;
    tf.tidy(() => {
      head.assign(tf.zerosLike(head)); // all logits equal: the first id, padding
    });
    expect(await makeTask(dull).validate()).toEqual({ tokens: 0, blind: 0 });
    dull.dispose();
  });
});

test('checkpoints go through the callbacks', async () => {
  const calls: string[] = [];
  const task = makeTask(gsva, calls);
  await task.checkpointFiles();
  await task.restore('b');
  expect(calls).toEqual(['save', 'load b']);
});
