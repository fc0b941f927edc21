/** AdamW against an independent double-precision implementation of PyTorch's definition; clipping; groups. */
import { readFileSync } from 'node:fs';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import * as tf from '../../../src/engine/tf.js';
import { UserError } from '../../../src/errors.js';
import { readSafetensors } from '../../../src/io/safetensors/safetensors.js';
import { toFloat32 } from '../../../src/io/file-tensor.js';
import { Random } from '../../../src/random.js';
import { AdamW, type AdamWOptions } from '../../../src/training/optimizer/optimizer.js';
import { fixture } from '../../helpers/fixtures.js';
import { ENGINES, useEngine } from '../toy-tasks.js';

const OPTIONS: AdamWOptions = { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1, clipNorm: 1 };

/** torch.optim.AdamW + torch.nn.utils.clip_grad_norm_ on plain arrays of doubles. */
class ReferenceAdamW {
  private readonly moments = new Map<string, { m: number[]; v: number[]; t: number }>();

  constructor(
    readonly parameters: Map<string, number[]>,
    private readonly options: AdamWOptions,
  ) {}

  step(gradients: Map<string, number[]>, lr: number): number {
    const { beta1, beta2, eps, weightDecay, clipNorm } = this.options;
    const norm = Math.hypot(...[...gradients.values()].flat());
    const coefficient = clipNorm === null ? 1 : Math.min(1, clipNorm / (norm + 1e-6));
    for (const [name, gradient] of gradients) {
      const p = this.parameters.get(name) ?? [];
      const state = this.moments.get(name) ?? { m: p.map(() => 0), v: p.map(() => 0), t: 0 };
      this.moments.set(name, state);
      state.t += 1;
      gradient.forEach((raw, i) => {
        const g = raw * coefficient;
        const m = beta1 * (state.m[i] ?? 0) + (1 - beta1) * g;
        const v = beta2 * (state.v[i] ?? 0) + (1 - beta2) * g * g;
        state.m[i] = m;
        state.v[i] = v;
        const decayed = (p[i] ?? 0) * (1 - lr * weightDecay);
        const denominator = Math.sqrt(v) / Math.sqrt(1 - beta2 ** state.t) + eps;
        p[i] = decayed - (lr / (1 - beta1 ** state.t)) * (m / denominator);
      });
    }
    return norm;
  }
}

const SHAPES: readonly [string, number[]][] = [
  ['llm.embed', [3, 4]],
  ['mask.weight', [5]],
  ['mask.bias', [1]],
];

let tensorsBefore = 0;
let variables: Map<string, tf.Variable>;

beforeEach(() => {
  tensorsBefore = tf.memory().numTensors;
  const random = new Random(1);
  variables = new Map(
    SHAPES.map(([name, shape]) => {
      const values = Array.from({ length: tf.util.sizeFromShape(shape) }, () => random.normal());
      return [name, tf.tidy(() => tf.variable(tf.tensor(values, shape)))];
    }),
  );
});
afterEach(() => {
  tf.dispose([...variables.values()]);
  expect(tf.memory().numTensors).toBe(tensorsBefore);
});

function valuesOf(name: string): number[] {
  return [...(variables.get(name) as tf.Variable).dataSync()];
}

function tensors(gradients: ReadonlyMap<string, number[]>): Map<string, tf.Tensor> {
  return new Map(
    [...gradients].map(([name, values]) => [name, tf.tensor(values, (variables.get(name) as tf.Variable).shape)]),
  );
}

async function update(
  optimizer: AdamW,
  gradients: ReadonlyMap<string, number[]>,
  lr: number,
  scale = 1,
): Promise<number> {
  const given = tensors(gradients);
  const norm = await optimizer.globalNorm(given, scale);
  optimizer.apply(given, lr, norm, scale);
  tf.dispose([...given.values()]);
  return norm;
}

describe.each(ENGINES)('AdamW (%s)', (engine) => {
  beforeAll(useEngine(engine));

  test.each([
    ['clipped', 1],
    ['with a loose clip', 1000],
    ['unclipped', null],
  ])('equals PyTorch over 30 updates, some parameters without gradient in some of them (%s)', async (_, clipNorm) => {
    const options = { ...OPTIONS, clipNorm };
    const reference = new ReferenceAdamW(new Map(SHAPES.map(([name]) => [name, valuesOf(name)])), options);
    const optimizer = new AdamW(variables, options);
    const random = new Random(2);
    for (let k = 0; k < 30; k++) {
      // As in the reference's run, the first update has learning rate 0 but moves the moments.
      const lr = k === 0 ? 0 : 0.05 / k;
      const present = SHAPES.filter(([name]) => name === 'mask.weight' || (k + name.length) % 3 !== 0);
      const gradients = new Map(
        present.map(([name, shape]): [string, number[]] => [
          name,
          Array.from({ length: tf.util.sizeFromShape(shape) }, () => random.normal() * (k % 4 === 0 ? 0.01 : 1)),
        ]),
      );
      const norm = await update(optimizer, gradients, lr);
      const expectedNorm = reference.step(gradients, lr);
      expect(Math.abs(norm - expectedNorm)).toBeLessThan(1e-6 * expectedNorm);
    }
    for (const [name] of SHAPES) {
      const expected = reference.parameters.get(name) ?? [];
      valuesOf(name).forEach((value, i) => expect(Math.abs(value - (expected[i] as number))).toBeLessThan(2e-6));
    }
    optimizer.dispose();
  });

  test('a learning rate of 0 moves no weight but the moments and steps', async () => {
    const optimizer = new AdamW(variables, OPTIONS);
    const before = valuesOf('mask.weight');
    await update(optimizer, new Map([['mask.weight', [0.1, -0.2, 0.3, 0, 0.5]]]), 0);
    expect(valuesOf('mask.weight')).toEqual(before);
    const state = optimizer.parameters.get('mask.weight');
    expect(state?.step).toBe(1);
    expect(state?.m.dataSync()[1]).toBeCloseTo(-0.02, 6);
    expect(optimizer.parameters.get('llm.embed')?.step).toBe(0);
    optimizer.dispose();
  });

  test('clips to clipNorm / (norm + 1e-6), and never enlarges', async () => {
    // Adam's step hardly depends on the gradient's scale; its first moment after one update shows it.
    const gradient = [0.6e-3, 0, 0.8e-3, 0, 0];
    for (const [clipNorm, coefficient] of [
      [5e-4, 5e-4 / (1e-3 + 1e-6)],
      [1, 1],
    ] as const) {
      const optimizer = new AdamW(variables, { ...OPTIONS, clipNorm });
      expect(await update(optimizer, new Map([['mask.weight', gradient]]), 0)).toBeCloseTo(1e-3, 9);
      const m = optimizer.parameters.get('mask.weight')?.m.dataSync() ?? [];
      gradient.forEach((g, i) => expect(Math.abs((m[i] as number) - 0.1 * g * coefficient)).toBeLessThan(1e-10));
      optimizer.dispose();
    }
  });

  test('a gradient scaled by gradientScale is the same as the smaller gradient', async () => {
    const gradient = [1, -2, 3, 0.5, -0.25];
    const optimizer = new AdamW(variables, OPTIONS);
    expect(await update(optimizer, new Map([['mask.weight', gradient.map((g) => 4 * g)]]), 0.1, 0.25)).toBeCloseTo(
      Math.hypot(...gradient),
      6,
    );
    const scaled = valuesOf('mask.weight');
    optimizer.dispose();
    const random = new Random(1);
    for (let i = 0; i < 12; i++) random.normal();
    const fresh = Array.from({ length: 5 }, () => random.normal());
    const reference = new ReferenceAdamW(new Map([['mask.weight', fresh]]), OPTIONS);
    reference.step(new Map([['mask.weight', gradient]]), 0.1);
    scaled.forEach((value, i) => expect(value).toBeCloseTo(fresh[i] as number, 6));
  });

  test("the norm of the reference's recorded gradients is the norm that it clipped by", async () => {
    const { tensors: recorded } = readSafetensors(fixture('gsva-tiny', 'grads.safetensors'));
    const { optimizer } = JSON.parse(readFileSync(fixture('gsva-tiny', 'case.json'), 'utf8')) as {
      optimizer: { trajectory: { grad_norm: number }[] };
    };
    const gradients = new Map(
      [...recorded].map(([name, stored]) => [name, tf.tensor(toFloat32(stored), [...stored.shape])]),
    );
    const adam = new AdamW(variables, OPTIONS);
    const norm = await adam.globalNorm(gradients);
    const expected = optimizer.trajectory[0]?.grad_norm ?? NaN;
    expect(Math.abs(norm - expected) / expected).toBeLessThan(1e-5);
    adam.dispose();
    tf.dispose([...gradients.values()]);
  });

  test('multipliers apply to the variables whose name fits, the first pattern that fits counting', async () => {
    const optimizer = new AdamW(variables, {
      ...OPTIONS,
      weightDecay: 0,
      learningRateMultipliers: { bias$: 0, '^mask': 0.5 },
    });
    const before = SHAPES.map(([name]) => valuesOf(name));
    await update(
      optimizer,
      new Map(SHAPES.map(([name, shape]) => [name, Array<number>(tf.util.sizeFromShape(shape)).fill(1)])),
      0.1,
    );
    const moved = SHAPES.map(([name], i) => ((before[i] as number[])[0] as number) - (valuesOf(name)[0] as number));
    // The first update of Adam moves by the learning rate, whatever the gradient.
    expect(moved[0]).toBeCloseTo(0.1, 5);
    expect(moved[1]).toBeCloseTo(0.05, 5);
    expect(moved[2]).toBe(0);
    optimizer.dispose();
  });

  test.each<[string, Partial<AdamWOptions>]>([
    ['no_such_name', { learningRateMultipliers: { no_such_name: 2 } }],
    ['regular expression', { learningRateMultipliers: { '(': 2 } }],
  ])('refuses wrong options and says which: %s', (word, changes) => {
    expect(() => new AdamW(variables, { ...OPTIONS, ...changes })).toThrow(UserError);
    expect(() => new AdamW(variables, { ...OPTIONS, ...changes })).toThrow(word);
  });
});
