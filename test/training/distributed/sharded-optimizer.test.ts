/** AdamW over several ranks against AdamW in one process: weights, moments, steps, norm; saved and taken over. */
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import * as tf from '../../../src/engine/tf.js';
import { Random } from '../../../src/random.js';
import type { Communicator } from '../../../src/training/distributed/communicator.js';
import { ShardedAdamW } from '../../../src/training/distributed/sharded-optimizer.js';
import { AdamW, type AdamWOptions } from '../../../src/training/optimizer/optimizer.js';
import type { MomentPart, MomentReader, OptimizerRule } from '../../../src/training/optimizer/optimizer-rule.js';
import { localRanks } from '../../helpers/local-ranks.js';
import { ENGINES, useEngine } from '../toy-tasks.js';

const SHAPES: readonly (readonly [string, number[]])[] = [
  ['embed', [7, 5]],
  ['head', [5, 3]],
  ['scalar', []],
  ['idle', [4]],
  ['mask', [13]],
];
const OPTIONS: AdamWOptions = {
  ...{ beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1, clipNorm: 1 },
  learningRateMultipliers: { mask: 0.5 },
};
/** Smaller than 'embed', so that it spans several buckets and blocks. */
const BUCKET = 16;

let tensorsBefore = 0;
beforeEach(() => {
  tensorsBefore = tf.memory().numTensors;
});
afterEach(() => {
  expect(tf.memory().numTensors).toBe(tensorsBefore);
});

function makeVariables(): Map<string, tf.Variable> {
  const random = new Random(1);
  return new Map(
    SHAPES.map(([name, shape]) => {
      const values = Array.from({ length: tf.util.sizeFromShape(shape) }, () => random.normal());
      return [name, tf.tidy(() => tf.variable(tf.tensor(values, shape)))];
    }),
  );
}

/** Gradients of a rank in an update; 'idle' has one in the third update on rank 1 alone. */
function gradientsOf(update: number, rank: number): Map<string, number[]> {
  const random = new Random(100 * update + rank + 1);
  const names = SHAPES.filter(([name]) => name !== 'idle' || (update === 2 && rank === 1));
  return new Map(
    names.map(([name, shape]) => [name, Array.from({ length: tf.util.sizeFromShape(shape) }, () => random.normal())]),
  );
}

function tensorsOf(values: ReadonlyMap<string, readonly number[]>): Map<string, tf.Tensor> {
  const shapes = new Map(SHAPES);
  return new Map([...values].map(([name, numbers]) => [name, tf.tensor([...numbers], shapes.get(name) as number[])]));
}

/** One update; the norm. */
async function update(
  optimizer: OptimizerRule,
  values: ReadonlyMap<string, readonly number[]>,
  scale: number,
): Promise<number> {
  const gradients = tensorsOf(values);
  const norm = await optimizer.globalNorm(gradients, scale);
  await optimizer.apply(gradients, 0.01, norm, scale);
  tf.dispose([...gradients.values()]);
  return norm;
}

/** Gradients of all ranks added up, as one process has them after N micro-batches. */
function summed(at: number, ranks: number): Map<string, number[]> {
  const sums = new Map<string, number[]>();
  for (let rank = 0; rank < ranks; rank++) {
    for (const [name, numbers] of gradientsOf(at, rank)) {
      sums.set(
        name,
        numbers.map((value, index) => value + (sums.get(name)?.[index] ?? 0)),
      );
    }
  }
  return sums;
}

interface Outcome {
  readonly norms: number[];
  readonly numbers: Record<string, number[]>;
  /** What this process holds of them. */
  readonly moments: readonly MomentPart[];
  readonly steps: Record<string, number>;
}

async function outcome(optimizer: OptimizerRule, norms: number[]): Promise<Outcome> {
  const numbers: Record<string, number[]> = {};
  for (const [name, variable] of optimizer.variables) numbers[name] = [...(await variable.data())];
  return { norms, numbers, moments: await optimizer.moments(), steps: Object.fromEntries(optimizer.steps) };
}

function dispose(optimizer: OptimizerRule): void {
  optimizer.dispose();
  tf.dispose([...optimizer.variables.values()]);
}

const UPDATES = [0, 1, 2, 3];

async function inOneProcess(ranks: number): Promise<Outcome> {
  const optimizer = new AdamW(makeVariables(), OPTIONS);
  const norms: number[] = [];
  for (const at of UPDATES) norms.push(await update(optimizer, summed(at, ranks), 1 / ranks));
  const result = await outcome(optimizer, norms);
  dispose(optimizer);
  return result;
}

/** Puts the moments of all ranks together; each number is somebody's, once. */
function wholeMoments(parts: readonly MomentPart[]): Record<string, number[]> {
  const whole: Record<string, number[]> = {};
  for (const { name, start, ...moments } of parts) {
    for (const moment of ['m', 'v'] as const) {
      const numbers = (whole[`${moment}.${name}`] ??= []);
      moments[moment].forEach((value, index) => {
        expect(numbers[start + index]).toBeUndefined();
        numbers[start + index] = value;
      });
    }
  }
  return whole;
}

function expectClose(outcomes: readonly Outcome[], one: Outcome): void {
  const [first] = outcomes as [Outcome, ...Outcome[]];
  const found = { ...first, numbers: { ...first.numbers, ...wholeMoments(outcomes.flatMap((each) => each.moments)) } };
  const expected = { ...one, numbers: { ...one.numbers, ...wholeMoments(one.moments) } };
  expect(found.steps).toEqual(expected.steps);
  expect(Object.keys(found.numbers).sort()).toEqual(Object.keys(expected.numbers).sort());
  found.norms.forEach((norm, index) => {
    expect(norm).toBeCloseTo(expected.norms[index] as number, 5);
  });
  for (const [name, numbers] of Object.entries(expected.numbers)) {
    numbers.forEach((value, index) => {
      expect(Math.abs((found.numbers[name]?.[index] ?? NaN) - value)).toBeLessThan(1e-6);
    });
  }
}

describe.each(ENGINES)('ShardedAdamW (%s)', (engine) => {
  beforeAll(useEngine(engine));

  test.each([2, 3, 4])('on %i ranks makes the updates of one process, on every rank', async (ranks) => {
    const expected = await inOneProcess(ranks);
    const outcomes = await Promise.all(
      localRanks(ranks).map(async (communicator, rank) => {
        const optimizer = new ShardedAdamW(makeVariables(), OPTIONS, communicator, BUCKET);
        const norms: number[] = [];
        for (const at of UPDATES) norms.push(await update(optimizer, gradientsOf(at, rank), 1 / ranks));
        const result = await outcome(optimizer, norms);
        dispose(optimizer);
        return result;
      }),
    );
    const [first, ...others] = outcomes;
    expectClose(outcomes, expected);
    expect(expected.steps).toMatchObject({ idle: 1, embed: 4 });
    for (const other of others) {
      for (const [name] of SHAPES) expect(other.numbers[name]).toEqual(first?.numbers[name]);
    }
  });

  test('holds on each rank only its share of the moments', () => {
    const [communicator] = localRanks(4) as [Communicator, ...Communicator[]];
    const variables = makeVariables();
    const numbers = tf.memory().numBytes;
    const optimizer = new ShardedAdamW(variables, OPTIONS, communicator, BUCKET);
    const total = SHAPES.reduce((sum, [, shape]) => sum + tf.util.sizeFromShape(shape), 0);
    const own = (tf.memory().numBytes - numbers) / 8;
    expect(own).toBeLessThanOrEqual(Math.ceil(total / 16) * 4);
    expect(own).toBeGreaterThan(0);
    dispose(optimizer);
  });

  test('goes on from the moments of another number of ranks', async () => {
    const whole = await inOneProcess(4);
    const half = new AdamW(makeVariables(), OPTIONS);
    for (const at of [0, 1]) await update(half, summed(at, 4), 1 / 4);
    const saved = wholeMoments(await half.moments());
    const steps = Object.fromEntries(half.steps);
    const read: MomentReader = (moment, name, start, length) =>
      Float32Array.from(saved[`${moment}.${name}`] ?? []).slice(start, start + length);
    const weights = new Map([...half.variables].map(([name, variable]) => [name, variable.dataSync<'float32'>()]));
    dispose(half);
    const outcomes = await Promise.all(
      localRanks(2).map(async (communicator, rank) => {
        const optimizer = new ShardedAdamW(makeVariables(), OPTIONS, communicator, BUCKET);
        for (const [name, variable] of optimizer.variables) {
          tf.tidy(() => {
            variable.assign(tf.tensor(weights.get(name) as Float32Array, variable.shape));
          });
        }
        optimizer.restore(read, steps);
        for (const at of [2, 3]) {
          // Two of four ranks' micro-batches each.
          const own = [2 * rank, 2 * rank + 1].map((other) => gradientsOf(at, other));
          const names = new Set(own.flatMap((gradients) => [...gradients.keys()]));
          const added = [...names].map((name): [string, number[]] => {
            const parts = own.flatMap((gradients) => gradients.get(name) ?? []);
            const size = tf.util.sizeFromShape(new Map(SHAPES).get(name) as number[]);
            return [name, Array.from({ length: size }, (_, i) => (parts[i] ?? 0) + (parts[size + i] ?? 0))];
          });
          await update(optimizer, new Map(added), 1 / 4);
        }
        const result = await outcome(optimizer, []);
        dispose(optimizer);
        return result;
      }),
    );
    expectClose(outcomes, whole);
  });

  test('gives no finite norm on any rank when one has a gradient that is not finite', async () => {
    const norms = await Promise.all(
      localRanks(2).map(async (communicator, rank) => {
        const optimizer = new ShardedAdamW(makeVariables(), OPTIONS, communicator, BUCKET);
        const gradients = tensorsOf(new Map([['mask', Array.from({ length: 13 }, () => (rank === 1 ? NaN : 1))]]));
        const norm = await optimizer.globalNorm(gradients);
        tf.dispose([...gradients.values()]);
        dispose(optimizer);
        return norm;
      }),
    );
    expect(norms).toEqual([NaN, NaN]);
  });
});
