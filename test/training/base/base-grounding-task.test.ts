/** The base's grounding tasks: what they ask and supervise, figures of validation, one step, checkpoints by callbacks. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../../src/engine/engine.js';
import * as tf from '../../../src/engine/tf.js';
import type { LlavaSam } from '../../../src/systems/shared/llava-sam.js';
import { Random } from '../../../src/random.js';
import { BaseGroundingTask, type GroundingSample } from '../../../src/training/base/base-grounding-task.js';
import { ScenePool } from '../../../src/training/base/base-task.js';
import { SMALL_TEXT, smallTokenizer } from '../../helpers/small-experiment.js';
import { smallModel } from '../../helpers/small-model.js';
import { plantNaN, variablesOf } from '../../helpers/tensors.js';
import { GsvaDialogue } from '../../../src/systems/gsva/dialogue.js';
import { GSVA_VARIANT } from '../../../src/systems/shared/variant.js';

const tokenizer = smallTokenizer();
const ITEMS = 6;
let gsva: LlavaSam;

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
  gsva = smallModel(5, SMALL_TEXT);
});

afterAll(() => {
  gsva.dispose();
});

interface Making {
  readonly stage?: 'base-grounding' | 'base-joint';
  readonly maxLength?: number;
  readonly model?: LlavaSam;
  readonly forms?: 'scene' | 'trained';
  readonly calls?: string[];
}

function makeTask({
  stage = 'base-joint',
  maxLength = 400,
  model = gsva,
  calls = [],
  forms = 'scene',
}: Making = {}): BaseGroundingTask {
  return new BaseGroundingTask({
    stage,
    lessons: (facts, random) => new GsvaDialogue(GSVA_VARIANT).lessons(facts, random),
    decisionIds: [SMALL_TEXT.tokens.seg, SMALL_TEXT.tokens.rej ?? -1],
    gsva: model,
    tokenizer,
    conversation: 'plain',
    maxLength,
    pool: new ScenePool(2),
    scenes: 4,
    itemsPerScene: ITEMS,
    forms,
    validationScenes: 18, // more than one batch, the last one small
    save: () => {
      calls.push('save');
      return Promise.resolve([]);
    },
    load: (dir) => Promise.resolve(void calls.push(`load ${dir}`)),
  });
}

const draws = (task: BaseGroundingTask) =>
  Array.from({ length: 40 }, (_, seed) => task.prepare(seed % 4, new Random(seed)));

/** What is supervised, as text. */
const supervised = ({ conversation }: GroundingSample): string =>
  tokenizer.decode(conversation.labels.filter((label) => label >= 0)).trim();

describe('prepare', () => {
  test('captions, questions that name the expressions, and open ones, of which the answers alone are supervised', async () => {
    const kinds = { caption: 0, named: 0, open: 0 };
    for (const sample of draws(makeTask())) {
      const asked = tokenizer.decode(sample.conversation.inputIds.filter((id) => id >= 0));
      const places = '[a-h][1-8]( and [a-h][1-8])*';
      if (asked.includes('What is in')) {
        kinds.caption++;
        expect(supervised(sample)).toMatch(/^(\w+ \w+ [a-h][1-8][,.] ?)+<\/s>$/);
        expect(sample.decisions).toEqual([]);
      } else if (asked.includes('What are')) {
        kinds.named++;
        expect(supervised(sample)).toMatch(new RegExp(`^([a-z ]+: (no|${places})[,.] ?)+</s>$`));
      } else {
        kinds.open++;
        expect(supervised(sample)).toMatch(new RegExp(`^((no|${places}) ?)+$`));
      }
    }
    expect(Math.min(...Object.values(kinds))).toBeGreaterThan(2);
  });

  test('a decision for every expression, a mask for every one that is there; what is cut off has neither', async () => {
    for (const maxLength of [400, 60]) {
      for (const { conversation, decisions, targets, image } of draws(makeTask({ maxLength }))) {
        expect(conversation.labels.length).toBeLessThanOrEqual(maxLength);
        const firsts = decisions.map((token) => tokenizer.decode([conversation.labels[token] ?? 0]).trim());
        for (const first of firsts) expect(first).toMatch(/^(no|[a-h])$/);
        expect(targets.masks).toHaveLength(firsts.filter((first) => first !== 'no').length);
        for (const mask of targets.masks) {
          expect([mask.height, mask.width]).toEqual(image.original);
          expect(mask.data).toContain(1);
        }
        for (const added of [SMALL_TEXT.tokens.seg, SMALL_TEXT.tokens.rej]) {
          expect(conversation.inputIds).not.toContain(added);
        }
      }
    }
  });

  test('in trained forms the tokens are those of GSVA, with a place or "no" for [SEG] and [REJ]', async () => {
    const seen = new Set<string>();
    let [lists, short] = [0, 0];
    for (const sample of draws(makeTask({ forms: 'trained' }))) {
      const { conversation, decisions, targets } = sample;
      const asked = tokenizer.decode(conversation.inputIds.filter((id) => id >= 0));
      if (!asked.includes('segment')) continue; // captions and open questions
      lists++;
      if (decisions.length < ITEMS) short++;
      const firsts = decisions.map((token) => tokenizer.decode([conversation.labels[token] ?? 0]).trim());
      for (const first of firsts) expect(first).toMatch(/^(no|[a-h])$/);
      expect(targets.masks).toHaveLength(firsts.filter((first) => first !== 'no').length);
      // Back to GSVA's own text: what stands between the decisions and the commas is one token.
      const answer = supervised(sample);
      const form = [
        /^The segmentation results are /,
        /^Sure, they are /,
        /^Sure, the mask of /,
        /^Sure, the segmentation of /,
        /^Sure, the referred /,
      ];
      const start = form.findIndex((pattern) => pattern.test(answer));
      expect(start).toBeGreaterThanOrEqual(0);
      seen.add(String(start));
      const places = answer.match(/(no|[a-h][1-8]( and [a-h][1-8])*)(?=\s*[,.])/g) ?? [];
      expect(places).toHaveLength(decisions.length);
      for (const added of [SMALL_TEXT.tokens.seg, SMALL_TEXT.tokens.rej]) {
        expect(conversation.inputIds).not.toContain(added);
      }
    }
    expect(lists).toBeGreaterThan(20);
    expect(short).toBeGreaterThan(2);
    expect(seen.size).toBe(5);
  });

  test('trained forms are cut as the others: a decision for what is left, a mask for every one that is there', async () => {
    for (const { conversation, decisions, targets } of draws(makeTask({ forms: 'trained', maxLength: 70 }))) {
      expect(conversation.inputIds.length).toBeLessThanOrEqual(70);
      const firsts = decisions.map((token) => tokenizer.decode([conversation.labels[token] ?? 0]).trim());
      expect(targets.masks).toHaveLength(firsts.filter((first) => first !== 'no').length);
    }
  });

  test('the same draw gives the same sample', async () => {
    const task = makeTask();
    const [a, b, c] = [7, 7, 8].map((seed) => task.prepare(1, new Random(seed)));
    expect(a).toEqual(b);
    expect(a?.conversation).not.toEqual(c?.conversation);
    expect(a?.image).toEqual(c?.image);
  });
});

test.each(['base-grounding', 'base-joint'] as const)(
  'forwardBackward (%s): a step along the gradients lowers the loss; only they are left behind',
  async (stage) => {
    const task = makeTask({ stage });
    const batch = [0, 1].map((index) => task.prepare(index, new Random(index)));
    expect(batch.flatMap(({ targets }) => targets.masks).length).toBeGreaterThan(0);
    const before = tf.memory().numTensors;
    const first = await task.forwardBackward(batch);
    expect(tf.memory().numTensors).toBe(before + first.gradients.size);
    expect([...first.gradients.keys()].some((name) => name.includes('mask_decoder'))).toBe(stage === 'base-joint');
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
  },
);

describe('validate', () => {
  test.each([
    ['lm_head.weight', "the LLM's head"],
    ['model.layers.1.mlp.down_proj.weight', 'layer 1 of the LLM'],
    ['model.text_hidden_fcs.0.0.bias', 'ψ'],
  ])('a NaN in %s is no share: %s is named', async (name, part) => {
    const broken = smallModel(5, SMALL_TEXT);
    const task = makeTask({ model: broken });
    plantNaN(broken, name);
    const before = tf.memory().numTensors;
    await expect(task.validate()).rejects.toThrow(
      new RegExp(`^Validating: .* not finite.*${part}.*${name} holds 1 NaN`),
    );
    expect(tf.memory().numTensors).toBe(before);
    broken.dispose();
  });

  test('shares lie in [0, 1], the same every time, and leave nothing behind', async () => {
    const task = makeTask();
    const before = tf.memory().numTensors;
    const shares = await task.validate();
    expect(Object.keys(shares)).toEqual(['absent', 'present', 'column', 'maskIoU']);
    expect(Object.keys(await makeTask({ stage: 'base-grounding' }).validate())).toEqual([
      'absent',
      'present',
      'column',
    ]);
    for (const share of Object.values(shares)) expect(share >= 0 && share <= 1).toBe(true);
    expect(await task.validate()).toEqual(shares);
    expect(tf.memory().numTensors).toBe(before);
  });

  test('one who always writes padding never says "no": right wherever something is there, but never about the place', async () => {
    const silent = smallModel(5, SMALL_TEXT);
    const head = variablesOf(silent).get('lm_head.weight') as tf.Variable;
    tf.tidy(() => {
      head.assign(tf.zerosLike(head)); // all logits equal: the first id, padding
    });
    expect(await makeTask({ model: silent }).validate()).toMatchObject({ absent: 0, present: 1, column: 0 });
    silent.dispose();
  });
});

test('checkpoints go through the callbacks', async () => {
  const calls: string[] = [];
  const task = makeTask({ calls });
  await task.checkpointFiles();
  await task.restore('b');
  expect(calls).toEqual(['save', 'load b']);
});
