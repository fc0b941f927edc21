/** The base's language task: what it asks, figures of validation, one step, checkpoints through its callbacks. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import type { Gsva } from '../../src/model/gsva.js';
import { Random } from '../../src/random.js';
import { BaseLanguageTask } from '../../src/training/base-language-task.js';
import { ScenePool } from '../../src/training/scene-pool.js';
import { SMALL_TEXT, smallTokenizer } from '../helpers/small-experiment.js';
import { smallModel } from '../helpers/small-model.js';
import { variablesOf } from '../helpers/tensors.js';

const tokenizer = smallTokenizer();
const EXPRESSIONS = 3;
let gsva: Gsva;

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
  gsva = smallModel(5, SMALL_TEXT);
});

afterAll(() => {
  gsva.dispose();
});

function makeTask(model = gsva, calls: string[] = []): BaseLanguageTask {
  return new BaseLanguageTask({
    gsva: model,
    tokenizer,
    conversation: 'plain',
    maxLength: 400,
    pool: new ScenePool(2),
    scenes: 4,
    expressionsPerScene: EXPRESSIONS,
    validationScenes: 18, // more than one batch, the last one small
    save: (dir) => Promise.resolve(void calls.push(`save ${dir}`)),
    load: (dir) => Promise.resolve(void calls.push(`load ${dir}`)),
  });
}

describe('prepare', () => {
  test('asks about as many expressions as told, answers each after a colon, and never says [SEG] or [REJ]', async () => {
    const task = makeTask();
    for (let index = 0; index < 4; index++) {
      const { conversation, input } = await task.prepare(index, new Random(index));
      expect(input).toHaveLength(8 * 8 * 3);
      const text = tokenizer.decode(conversation.labels.filter((label) => label >= 0));
      const [answer = ''] = text.split('</s>');
      expect(answer.match(/: ?(no|[a-h][1-8])/g)?.length).toBe(EXPRESSIONS);
      expect(conversation.inputIds).not.toContain(SMALL_TEXT.tokens.seg);
      expect(conversation.inputIds).not.toContain(SMALL_TEXT.tokens.rej);
    }
  });

  test('the same draw gives the same sample', async () => {
    const task = makeTask();
    const [a, b, c] = await Promise.all([7, 7, 8].map((seed) => task.prepare(1, new Random(seed))));
    expect(a).toEqual(b);
    expect(a?.conversation).not.toEqual(c?.conversation);
    expect(a?.input).toEqual(c?.input);
  });
});

describe('validate', () => {
  test('shares lie in [0, 1], the same every time, and leave nothing behind', async () => {
    const task = makeTask();
    const before = tf.memory().numTensors;
    const shares = await task.validate();
    expect(Object.keys(shares)).toEqual(['tokens', 'absent', 'present', 'found']);
    for (const share of Object.values(shares)) expect(share >= 0 && share <= 1).toBe(true);
    expect(await task.validate()).toEqual(shares);
    expect(tf.memory().numTensors).toBe(before);
  });

  test('one who always writes padding is never right, and is never caught saying no', async () => {
    const silent = smallModel(5, SMALL_TEXT);
    const head = variablesOf(silent).get('lm_head.weight') as tf.Variable;
    tf.tidy(() => {
      head.assign(tf.zerosLike(head)); // all logits equal: the first id, padding
    });
    const shares = await makeTask(silent).validate();
    // `found` is 1 only where expressions with a target are recognised by the colon before their answer.
    expect(shares).toEqual({ tokens: 0, absent: 0, present: 0, found: 1 });
    silent.dispose();
  });
});

describe('training', () => {
  test('a step along the gradients lowers the loss; only they are left behind', async () => {
    const task = makeTask();
    const batch = await Promise.all([0, 1].map((index) => task.prepare(index, new Random(index))));
    const before = tf.memory().numTensors;
    const first = task.forwardBackward(batch);
    expect(tf.memory().numTensors).toBe(before + first.gradients.size);
    for (const [name, gradient] of first.gradients) {
      const variable = task.variables.get(name) as tf.Variable;
      tf.tidy(() => {
        variable.assign(tf.sub(variable, tf.mul(gradient, 0.01)));
      });
    }
    const second = task.forwardBackward(batch);
    expect(second.losses['loss']).toBeLessThan(first.losses['loss'] ?? 0);
    tf.dispose([...first.gradients.values(), ...second.gradients.values()]);
    expect(tf.memory().numTensors).toBe(before);
  });

  test('checkpoints go through what the caller gave', async () => {
    const calls: string[] = [];
    const task = makeTask(gsva, calls);
    await task.checkpointFiles('a');
    await task.restore('b');
    expect(calls).toEqual(['save a', 'load b']);
    expect(task.nameOf(await task.prepare(3, new Random(1)))).toBe('base scene 3');
  });
});
