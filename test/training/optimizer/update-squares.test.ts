/** The size of an update against the weights before and after it, in one process and with sharded moments. */
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import * as tf from '../../../src/engine/tf.js';
import { Random } from '../../../src/random.js';
import { ShardedAdamW } from '../../../src/training/distributed/sharded-optimizer.js';
import { AdamW, type AdamWOptions } from '../../../src/training/optimizer/optimizer.js';
import type { OptimizerRule } from '../../../src/training/optimizer/optimizer-rule.js';
import { LLAVA_SAM_PARTS } from '../../../src/systems/shared/llava-sam-parts.js';
import { partFigures } from '../../../src/training/loop/update-step.js';
import type { UpdateSquares } from '../../../src/training/optimizer/update-squares.js';
import { localRanks } from '../../helpers/local-ranks.js';
import { ENGINES, useEngine } from '../toy-tasks.js';

const SHAPES: readonly (readonly [string, number[]])[] = [
  ['model.embed_tokens.weight', [7, 5]],
  ['model.layers.0.self_attn.q_proj.lora_A.weight', [4, 3]],
  ['model.layers.0.self_attn.q_proj.lora_B.weight', [3, 4]],
  ['idle', [4]],
];
const OPTIONS: AdamWOptions = {
  ...{ beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1, clipNorm: 0.5 },
  learningRateMultipliers: { lora_B: 0.5 },
};
const LEARNING_RATE = 0.02;
/** Smaller than the embedding, so that it lies on several ranks. */
const BUCKET = 16;

let tensorsBefore = 0;
beforeEach(() => {
  tensorsBefore = tf.memory().numTensors;
});
afterEach(() => {
  expect(tf.memory().numTensors).toBe(tensorsBefore);
});

function numbers(random: Random, shape: readonly number[]): number[] {
  return Array.from({ length: tf.util.sizeFromShape([...shape]) }, () => random.normal());
}

function makeVariables(): Map<string, tf.Variable> {
  const random = new Random(1);
  return new Map(
    SHAPES.map(([name, shape]) => [name, tf.tidy(() => tf.variable(tf.tensor(numbers(random, shape), shape)))]),
  );
}

function gradientsOf(update: number, rank: number): Map<string, number[]> {
  const random = new Random(10 * update + rank + 1);
  const trained = SHAPES.filter(([name]) => name !== 'idle');
  return new Map(trained.map(([name, shape]) => [name, numbers(random, shape)]));
}

const squareOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value * value, 0);
const copyOf = (variables: ReadonlyMap<string, tf.Variable>): Map<string, number[]> =>
  new Map([...variables].map(([name, variable]) => [name, [...variable.dataSync()]]));

/** Two updates by gradients of their own; what the second was like, as told and as it shows in the weights. */
async function measured(
  optimizer: OptimizerRule,
  variables: ReadonlyMap<string, tf.Variable>,
  gradientsAt: (update: number) => ReadonlyMap<string, readonly number[]>,
  scale: number,
): Promise<{ told: ReadonlyMap<string, UpdateSquares>; before: Map<string, number[]>; after: Map<string, number[]> }> {
  let told: ReadonlyMap<string, UpdateSquares> = new Map();
  let before = copyOf(variables);
  const shapes = new Map(SHAPES);
  for (const update of [0, 1]) {
    before = copyOf(variables);
    const own = [...gradientsAt(update)];
    const gradients = new Map(
      own.map(([name, values]) => [name, tf.tensor([...values], shapes.get(name) as number[])]),
    );
    const norm = await optimizer.globalNorm(gradients, scale);
    await optimizer.apply(gradients, LEARNING_RATE, norm, scale);
    told = await optimizer.updateSquares(gradients, LEARNING_RATE, scale);
    tf.dispose([...gradients.values()]);
  }
  return { told, before, after: copyOf(variables) };
}

function expectSquares(
  { told, before, after }: Awaited<ReturnType<typeof measured>>,
  meanGradient: ReadonlyMap<string, readonly number[]>,
): void {
  expect([...told.keys()]).toEqual(SHAPES.map(([name]) => name));
  for (const [name, { gradient, weights, change }] of told) {
    const [old, now] = [before.get(name) as number[], after.get(name) as number[]];
    const near = (found: number, expected: number): number => Math.abs(found - expected) / (expected + 1e-12);
    expect([name, near(gradient, squareOf(meanGradient.get(name) ?? [])) < 1e-5]).toEqual([name, true]);
    expect([name, near(weights, squareOf(old)) < 1e-5]).toEqual([name, true]);
    expect([name, near(change, squareOf(now.map((value, i) => value - (old[i] as number)))) < 1e-4]).toEqual([
      name,
      true,
    ]);
  }
  expect(told.get('idle')).toMatchObject({ gradient: 0, change: 0 });
}

/** Mean of what the ranks have. */
function mean(update: number, ranks: number): Map<string, number[]> {
  const all = Array.from({ length: ranks }, (_, rank) => gradientsOf(update, rank));
  const names = [...(all[0]?.keys() ?? [])];
  return new Map(
    names.map((name) => [
      name,
      (all[0]?.get(name) ?? []).map((_, i) => all.reduce((sum, one) => sum + (one.get(name)?.[i] ?? NaN), 0) / ranks),
    ]),
  );
}

describe.each(ENGINES)('on %s', (engine) => {
  beforeAll(useEngine(engine));

  test('one process: gradient, weights and change of every variable', async () => {
    const variables = makeVariables();
    const optimizer = new AdamW(variables, OPTIONS);
    const result = await measured(optimizer, variables, (update) => gradientsOf(update, 0), 0.5);
    expectSquares(result, new Map([...gradientsOf(1, 0)].map(([name, all]) => [name, all.map((value) => value / 2)])));
    optimizer.dispose();
    tf.dispose([...variables.values()]);
  });

  test.each([2, 3])('%d ranks: all are told the sums over the blocks of all', async (ranks) => {
    const results = await Promise.all(
      localRanks(ranks).map(async (communicator) => {
        const variables = makeVariables();
        const optimizer = new ShardedAdamW(variables, OPTIONS, communicator, BUCKET);
        const { rank } = communicator;
        const result = await measured(optimizer, variables, (update) => gradientsOf(update, rank), 1 / ranks);
        optimizer.dispose();
        tf.dispose([...variables.values()]);
        return result;
      }),
    );
    for (const result of results) expectSquares(result, mean(1, ranks));
  });

  test('variables larger than what is computed at once', async () => {
    const size = 5 * 2 ** 16 + 3;
    const variable = tf.tidy(() => tf.variable(tf.fill([size], 2)));
    const optimizer = new AdamW(new Map([['big', variable]]), { ...OPTIONS, learningRateMultipliers: {} });
    const gradients = new Map([['big', tf.fill([size], 3)]]);
    optimizer.apply(gradients, 0.5, await optimizer.globalNorm(gradients));
    const squares = (await optimizer.updateSquares(gradients, 0.5)).get('big');
    // 2 becomes 2 · 0.95 - 0.5 = 1.4 in Adam's first update.
    expect((squares?.gradient ?? NaN) / size).toBeCloseTo(9, 3);
    expect((squares?.weights ?? NaN) / size).toBeCloseTo(4, 3);
    expect((squares?.change ?? NaN) / size).toBeCloseTo(0.36, 3);
    optimizer.dispose();
    tf.dispose([variable, ...gradients.values()]);
  });
});

test('parts: norms and ratios of their variables together', () => {
  const squares = new Map([
    ['model.layers.0.self_attn.q_proj.lora_A.weight', { gradient: 0, weights: 25, change: 0 }],
    ['model.layers.3.self_attn.q_proj.lora_B.weight', { gradient: 9, weights: 0, change: 1 }],
    ['lm_head.weight', { gradient: 0, weights: 0, change: 0 }],
  ]);
  expect(partFigures(squares, LLAVA_SAM_PARTS)).toEqual({
    lora_q_proj: { gradNorm: 3, updateRatio: 0.2 },
    lm_head: { gradNorm: 0, updateRatio: NaN },
  });
});
