/** The base's joint task: what it asks and supervises, figures of validation, one step, checkpoints by its callbacks. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import type { Gsva } from '../../src/model/gsva.js';
import { Random } from '../../src/random.js';
import { BaseJointTask } from '../../src/training/base-joint-task.js';
import { ScenePool } from '../../src/training/scene-pool.js';
import { SMALL_TEXT, smallTokenizer } from '../helpers/small-experiment.js';
import { smallModel } from '../helpers/small-model.js';
import { variablesOf } from '../helpers/tensors.js';

const tokenizer = smallTokenizer();
const ITEMS = 6;
let gsva: Gsva;

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
  gsva = smallModel(5, SMALL_TEXT);
});

afterAll(() => {
  gsva.dispose();
});

function makeTask(maxLength = 400, calls: string[] = [], model = gsva): BaseJointTask {
  return new BaseJointTask({
    gsva: model,
    tokenizer,
    conversation: 'plain',
    maxLength,
    pool: new ScenePool(2),
    scenes: 4,
    itemsPerScene: ITEMS,
    validationScenes: 18, // more than one batch, the last one small
    save: (dir) => Promise.resolve(void calls.push(`save ${dir}`)),
    load: (dir) => Promise.resolve(void calls.push(`load ${dir}`)),
  });
}

const draws = (task: BaseJointTask) =>
  Promise.all(Array.from({ length: 24 }, (_, seed) => task.prepare(seed % 4, new Random(seed))));

describe('prepare', () => {
  test('a mask for every "there"; without names in the question only the decisions are supervised', async () => {
    const kinds = { named: 0, open: 0 };
    for (const { conversation, targets, image } of await draws(makeTask())) {
      const supervised = tokenizer.decode(conversation.labels.filter((label) => label >= 0));
      const there = supervised.match(/\bthere\b/g)?.length ?? 0;
      expect(targets.masks).toHaveLength(there);
      for (const mask of targets.masks) {
        expect([mask.height, mask.width]).toEqual(image.original);
        expect(mask.data).toContain(1);
      }
      if (tokenizer.decode(conversation.inputIds.filter((id) => id >= 0)).includes('What are')) {
        kinds.named++;
        expect(supervised).toMatch(/: (there|no)\.<\/s>$/);
      } else {
        kinds.open++;
        expect(supervised).toMatch(/^((there|no) ?)+$/);
      }
      for (const added of [SMALL_TEXT.tokens.seg, SMALL_TEXT.tokens.rej]) {
        expect(conversation.inputIds).not.toContain(added);
      }
    }
    expect(Math.min(kinds.named, kinds.open)).toBeGreaterThan(1);
  });

  test('what is cut off has no mask', async () => {
    for (const { conversation, targets } of await draws(makeTask(40))) {
      expect(conversation.labels.length).toBeLessThanOrEqual(40);
      const there = tokenizer.encode('there', { addBos: false });
      expect(conversation.labels.filter((label) => label === there[0])).toHaveLength(targets.masks.length);
    }
  });

  test('the same draw gives the same sample', async () => {
    const task = makeTask();
    const [a, b, c] = await Promise.all([7, 7, 8].map((seed) => task.prepare(1, new Random(seed))));
    expect(a).toEqual(b);
    expect(a?.conversation).not.toEqual(c?.conversation);
    expect(a?.image).toEqual(c?.image);
  });
});

test('forwardBackward: a step along the gradients lowers the loss; only they are left behind', async () => {
  const task = makeTask();
  const batch = await Promise.all([0, 1].map((index) => task.prepare(index, new Random(index))));
  const before = tf.memory().numTensors;
  const first = task.forwardBackward(batch);
  expect(tf.memory().numTensors).toBe(before + first.gradients.size);
  for (const [name, gradient] of first.gradients) {
    const variable = task.variables.get(name) as tf.Variable;
    tf.tidy(() => {
      variable.assign(tf.sub(variable, tf.mul(gradient, 1e-3)));
    });
  }
  const second = task.forwardBackward(batch);
  expect(second.losses['loss']).toBeLessThan(first.losses['loss'] ?? 0);
  tf.dispose([...first.gradients.values(), ...second.gradients.values()]);
  expect(tf.memory().numTensors).toBe(before);
});

describe('validate', () => {
  test('shares lie in [0, 1], the same every time, and leave nothing behind', async () => {
    const task = makeTask();
    const before = tf.memory().numTensors;
    const shares = await task.validate();
    expect(Object.keys(shares)).toEqual(['absent', 'present', 'maskIoU']);
    for (const share of Object.values(shares)) expect(share >= 0 && share <= 1).toBe(true);
    expect(await task.validate()).toEqual(shares);
    expect(tf.memory().numTensors).toBe(before);
  });

  test('one to whom both words are equally likely says "no": always right where nothing is there, else never', async () => {
    const undecided = smallModel(5, SMALL_TEXT);
    const head = variablesOf(undecided).get('lm_head.weight') as tf.Variable;
    tf.tidy(() => {
      head.assign(tf.zerosLike(head));
    });
    expect(await makeTask(400, [], undecided).validate()).toMatchObject({ absent: 1, present: 0 });
    undecided.dispose();
  });
});

test('checkpoints go through the callbacks', async () => {
  const calls: string[] = [];
  const task = makeTask(400, calls);
  await task.checkpointFiles('a');
  await task.restore('b');
  expect(calls).toEqual(['save a', 'load b']);
});
