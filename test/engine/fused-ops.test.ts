/** Every fused operation on every engine against its formula, differentiated by tfjs on its cpu backend, and against differences. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import * as composites from '../../src/engine/composites.js';
import { startEngine } from '../../src/engine/engine.js';
import * as fused from '../../src/engine/fused-ops.js';
import { findInstallation } from '../../src/engine/tensorflow-installation.js';
import * as tf from '../../src/engine/tf.js';
import { Random } from '../../src/random.js';
import { provideAdapter } from '../helpers/swiftshader.js';

/** WASM kernels with and without BLAS; formulas on cpu and, where it is set up, on TensorFlow. */
const ENGINES = ['wasm', 'auto', 'cpu', ...(findInstallation() === null ? [] : ['tensorflow'])];

type Operation = (...inputs: tf.Tensor[]) => tf.Tensor;

interface Case {
  readonly name: string;
  /** Shapes of the inputs that gradients flow to. */
  readonly shapes: readonly (readonly number[])[];
  readonly scale?: number;
  readonly fused: Operation;
  readonly composite: Operation;
}

/** Tensors that no gradient flows to, made on whichever backend runs. */
const keyLengths = (): tf.Tensor1D => tf.tensor1d([5, 0, 3], 'int32');
const labels = (): tf.Tensor1D => tf.tensor1d([4, -100, 0, 16, -100, 7, 7], 'int32');
const targets = (): tf.Tensor3D =>
  tf.tensor3d(
    Array.from({ length: 2 * 71 * 67 }, (_, i) => (i % 7 < 2 ? 1 : 0)),
    [2, 71, 67],
  );
const angles = (of: (x: number) => number, length: number, width: number): tf.Tensor2D =>
  tf.tensor2d(
    Array.from({ length: length * width }, (_, i) => {
      const frequency = 10 ** -((i % width) % (width / 2));
      return of(Math.floor(i / width) * frequency);
    }),
    [length, width],
  );
const bothLosses = ({ bce, dice }: { bce: tf.Tensor; dice: tf.Tensor }): tf.Tensor =>
  tf.concat([tf.mul(bce, 2), tf.mul(dice, 0.5)]);

const cases: readonly Case[] = [
  ...([1, 3, 8, 37, 160].map((width) => ({
    name: `layerNorm over ${width}`,
    shapes: [[2, 5, width], [width], [width]],
    fused: (x, gamma, beta) => fused.layerNorm(x, gamma, beta, 1e-5),
    composite: (x, gamma, beta) => composites.layerNormComposite(x, gamma, beta, 1e-5),
  })) as Case[]),
  {
    name: 'rmsNorm',
    shapes: [[700, 37], [37]],
    fused: (x, gamma) => fused.rmsNorm(x, gamma, 1e-6),
    composite: (x, gamma) => composites.rmsNormComposite(x, gamma, 1e-6),
  },
  {
    name: 'gelu',
    shapes: [[1003]],
    scale: 3,
    fused: fused.gelu,
    composite: composites.geluComposite,
  },
  {
    name: 'quickGelu',
    shapes: [[7, 11]],
    scale: 5,
    fused: fused.quickGelu,
    composite: composites.quickGeluComposite,
  },
  {
    name: 'silu',
    shapes: [[7, 11]],
    scale: 9,
    fused: fused.silu,
    composite: composites.siluComposite,
  },
  {
    name: 'siluMul',
    shapes: [
      [3, 37],
      [3, 37],
    ],
    scale: 3,
    fused: fused.siluMul,
    composite: composites.siluMulComposite,
  },
  ...[
    { name: 'maskedSoftmax without a mask', causalOffset: null, lengths: () => null },
    { name: 'maskedSoftmax, causal', causalOffset: 0, lengths: () => null },
    { name: 'maskedSoftmax, causal after a past', causalOffset: 3, lengths: () => null },
    { name: 'maskedSoftmax with key lengths', causalOffset: null, lengths: keyLengths },
    { name: 'maskedSoftmax with both', causalOffset: -1, lengths: keyLengths },
  ].map(({ name, causalOffset, lengths }): Case => ({
    name,
    shapes: [[3, 2, 5, 7]],
    scale: 4,
    fused: (scores) => fused.maskedSoftmax(scores as tf.Tensor4D, { scale: 0.3, causalOffset, keyLengths: lengths() }),
    composite: (scores) => composites.maskedSoftmaxComposite(scores as tf.Tensor4D, 0.3, causalOffset, lengths()),
  })),
  {
    name: 'softmaxCrossEntropy',
    shapes: [[7, 17]],
    scale: 4,
    fused: (logits) => fused.softmaxCrossEntropy(logits as tf.Tensor2D, labels()),
    composite: (logits) => composites.softmaxCrossEntropyComposite(logits as tf.Tensor2D, labels(), -100),
  },
  {
    name: 'maskLoss',
    shapes: [[2, 71, 67]],
    scale: 6,
    fused: (logits) => bothLosses(fused.maskLoss(logits as tf.Tensor3D, targets())),
    composite: (logits) => bothLosses(composites.maskLossComposite(logits as tf.Tensor3D, targets())),
  },
  {
    name: 'linear with bias',
    shapes: [[3, 301, 6], [6, 5], [5]],
    fused: (x, w, bias) => fused.linear(x, w as tf.Tensor2D, bias as tf.Tensor1D),
    composite: (x, w, bias) => composites.linearComposite(x, w as tf.Tensor2D, bias as tf.Tensor1D),
  },
  {
    name: 'linear without bias',
    shapes: [
      [4, 6],
      [6, 5],
    ],
    fused: (x, w) => fused.linear(x, w as tf.Tensor2D, null),
    composite: (x, w) => composites.linearComposite(x, w as tf.Tensor2D, null),
  },
  ...[2, 6, 40].map((width): Case => ({
    name: `rotary over ${width}`,
    shapes: [[2, 3, 5, width]],
    fused: (x) => fused.rotary(x as tf.Tensor4D, angles(Math.cos, 5, width), angles(Math.sin, 5, width)),
    composite: (x) =>
      composites.rotaryComposite(x as tf.Tensor4D, angles(Math.cos, 5, width), angles(Math.sin, 5, width)),
  })),
];

function numbers(seed: number, size: number, scale: number): Float32Array {
  const random = new Random(seed);
  return Float32Array.from({ length: size }, () => random.normal() * scale);
}

/** Value and gradients for fixed inputs and a fixed gradient of the output, as plain numbers. */
function evaluate(operation: Operation, one: Case): { value: number[]; gradients: number[][] } {
  const before = tf.memory().numTensors;
  const result = tf.tidy(() => {
    const inputs = one.shapes.map((shape, i) =>
      tf.tensor(numbers(i + 1, tf.util.sizeFromShape([...shape]), one.scale ?? 1), [...shape]),
    );
    const y = operation(...inputs);
    const dy = tf.tensor(numbers(99, y.size, 1), y.shape);
    const gradients = tf.grads(operation)(inputs, dy);
    gradients.forEach((gradient, i) => {
      expect(gradient.shape).toEqual(inputs[i]?.shape);
    });
    return { value: [...y.dataSync()], gradients: gradients.map((gradient) => [...gradient.dataSync()]) };
  });
  expect(tf.memory().numTensors).toBe(before);
  return result;
}

/** The largest difference over the largest of the wanted numbers. */
function relativeError(actual: readonly number[], wanted: readonly number[]): number {
  expect(actual.length).toBe(wanted.length);
  const largest = wanted.reduce((sum, value) => Math.max(sum, Math.abs(value)), 1e-6);
  // Written so that NaN counts as wrong.
  return (
    wanted.reduce((sum, value, i) => {
      const difference = Math.abs(value - (actual[i] ?? NaN));
      return difference <= sum ? sum : difference;
    }, 0) / largest
  );
}

describe.each(cases.map((one) => [one.name, one] as const))('%s', (_, one) => {
  test.each(ENGINES)('engine %s: value and gradients are those of the formula on the cpu backend', async (engine) => {
    await startEngine({ engine: 'cpu' });
    const wanted = evaluate(one.composite, one);
    await startEngine({ engine });
    const actual = evaluate(one.fused, one);
    expect(relativeError(actual.value, wanted.value)).toBeLessThan(2e-6);
    actual.gradients.forEach((gradient, i) => {
      expect(relativeError(gradient, wanted.gradients[i] ?? [])).toBeLessThan(5e-6);
    });
  });

  test('gradients are the slopes of the value along a random direction', async () => {
    await startEngine();
    const { gradients } = evaluate(one.fused, one);
    const h = 2e-3;
    one.shapes.forEach((_shape, moved) => {
      const along = (sign: number): number =>
        tf.tidy(() => {
          const inputs = one.shapes.map((shape, i) => {
            const values = numbers(i + 1, tf.util.sizeFromShape([...shape]), one.scale ?? 1);
            const direction = numbers(50, values.length, 1);
            return tf.tensor(i === moved ? values.map((x, j) => x + sign * h * (direction[j] ?? 0)) : values, [
              ...shape,
            ]);
          });
          const y = one.fused(...inputs).dataSync();
          const dy = numbers(99, y.length, 1);
          return [...y].reduce((sum, value, i) => sum + value * (dy[i] ?? 0), 0);
        });
      const slope = (along(1) - along(-1)) / (2 * h);
      const gradient = gradients[moved] ?? [];
      const direction = numbers(50, gradient.length, 1);
      const wanted = gradient.reduce((sum, value, i) => sum + value * (direction[i] ?? 0), 0);
      const size = Math.sqrt(gradient.reduce((sum, value) => sum + value * value, 0)) + 1e-3;
      expect(Math.abs(slope - wanted) / size).toBeLessThan(2e-2);
    });
  });
});

test('maskedSoftmax: rows that see nothing are zero, all others sum to 1', async () => {
  await startEngine();
  const sums = tf.tidy(() => {
    const scores = tf.tensor<tf.Rank.R4>(numbers(1, 3 * 2 * 5 * 7, 3), [3, 2, 5, 7]);
    return [...tf.sum(fused.maskedSoftmax(scores, { causalOffset: -1, keyLengths: keyLengths() }), -1).dataSync()];
  });
  sums.forEach((sum, row) => {
    const seesNothing = row % 5 === 0 || Math.floor(row / 10) === 1;
    expect(Math.abs(sum - (seesNothing ? 0 : 1))).toBeLessThan(1e-6);
  });
});

test('losses stay finite at logits of ±1e4 and are zero without anything supervised', async () => {
  await startEngine();
  tf.tidy(() => {
    const logits = tf.mul<tf.Tensor3D>(tf.sub(targets(), 0.5), 2e4);
    const right = fused.maskLoss(logits, targets());
    expect(Math.max(...right.bce.dataSync(), ...right.dice.dataSync())).toBeLessThan(1e-6);
    const wrong = fused.maskLoss(tf.neg(logits), targets());
    expect(Math.abs((wrong.bce.dataSync()[0] ?? NaN) - 1e4)).toBeLessThan(1);
    const none = tf.fill<tf.Rank.R1>([3], -100, 'int32');
    const unsupervised = tf.valueAndGrad((x: tf.Tensor) => fused.softmaxCrossEntropy(x as tf.Tensor2D, none))(
      tf.ones([3, 4]),
    );
    expect(unsupervised.value.dataSync()[0]).toBe(0);
    expect(unsupervised.grad.dataSync().every((value) => value === 0)).toBe(true);
  });
});

describe('logits that are not finite', () => {
  const [inf, nan] = [Infinity, NaN];

  /** Loss and gradients of rows of logits. */
  async function crossEntropy(rows: number[][], rowLabels: number[]): Promise<{ loss: number; gradients: number[] }> {
    const labelled = tf.tensor1d(rowLabels, 'int32');
    const logits = tf.tensor2d(rows);
    const loss = (x: tf.Tensor): tf.Scalar => fused.softmaxCrossEntropy(x as tf.Tensor2D, labelled);
    const { value, grad } = tf.valueAndGrad(loss)(logits);
    const [found = nan] = await value.data();
    const gradients = [...(await grad.data())];
    tf.dispose([labelled, logits, value, grad]);
    return { loss: found, gradients };
  }

  /** Probabilities as PyTorch has them (float64). */
  const softmax = (row: number[]): number[] => {
    const sum = row.reduce((total, x) => total + Math.exp(x), 0);
    return row.map((x) => Math.exp(x) / sum);
  };

  describe.each([...ENGINES, 'webgpu'])('engine %s', (engine) => {
    let isHere = true;

    beforeAll(async () => {
      const skipped = engine === 'webgpu' ? await provideAdapter() : null;
      isHere = skipped === null;
      if (skipped !== null) process.stderr.write(`fused-ops.test.ts does nothing on webgpu: ${skipped}\n`);
    });

    /** A test on this engine, where it is here. */
    function here(name: string, run: () => Promise<void>): void {
      test(name, async () => {
        if (!isHere) return;
        await startEngine({ engine });
        const before = tf.memory().numTensors;
        await run();
        expect(tf.memory().numTensors).toBe(before);
      });
    }

    here('-Infinity in a wrong class: the loss is finite, that class has the gradient 0', async () => {
      const rows = [
        [1, -inf, 2, 0.5],
        [-inf, 3, -inf, -inf],
      ];
      const { loss, gradients } = await crossEntropy(rows, [0, 1]);
      const p = softmax(rows[0] as number[]);
      expect(Math.abs(loss - -Math.log(p[0] as number) / 2)).toBeLessThan(1e-6);
      const wanted = [((p[0] as number) - 1) / 2, 0, (p[2] as number) / 2, (p[3] as number) / 2, 0, 0, 0, 0];
      expect(relativeError(gradients, wanted)).toBeLessThan(1e-6);
      for (const place of [1, 4, 6, 7]) expect(gradients[place] === 0).toBe(true);
    });

    here('-Infinity in the right class: the loss is Infinity, never a finite number', async () => {
      expect((await crossEntropy([[1, -inf, 2]], [1])).loss).toBe(inf);
    });

    here('Infinity or NaN anywhere, and -Infinity everywhere: the loss is not finite', async () => {
      for (const row of [
        [1, inf, 2],
        [1, nan, 2],
        [-inf, -inf, -inf],
      ]) {
        for (const label of [0, 1]) expect(Number.isFinite((await crossEntropy([row], [label])).loss)).toBe(false);
      }
    });

    here('rows that are ignored may hold anything', async () => {
      const { loss, gradients } = await crossEntropy(
        [
          [1, nan, 2],
          [1, 2, 3],
          [inf, -inf, -inf],
        ],
        [-100, 1, -100],
      );
      const p = softmax([1, 2, 3]);
      expect(Math.abs(loss - -Math.log(p[1] as number))).toBeLessThan(1e-6);
      const wanted = [0, 0, 0, p[0] as number, (p[1] as number) - 1, p[2] as number, 0, 0, 0];
      expect(relativeError(gradients, wanted)).toBeLessThan(1e-6);
    });

    async function weights(row: number[], options: fused.MaskedSoftmaxOptions = {}): Promise<number[]> {
      const scores = tf.tensor4d(row, [1, 1, 1, row.length]);
      const result = fused.maskedSoftmax(scores, options);
      const numbers = [...(await result.data())];
      tf.dispose([scores, result]);
      return numbers;
    }

    here('softmax: a score of -Infinity has the weight 0, and the rest sums to 1', async () => {
      const found = await weights([1, -inf, 2]);
      expect(relativeError(found, softmax([1, -inf, 2]))).toBeLessThan(1e-6);
      expect(found[1]).toBe(0);
    });

    here('softmax: nothing but -Infinity, or Infinity among them, is not finite', async () => {
      expect((await weights([-inf, -inf, -inf])).every((value) => Number.isNaN(value))).toBe(true);
      for (const row of [
        [1, inf, 2],
        [1, nan, 2],
      ]) {
        expect((await weights(row)).every((value) => Number.isFinite(value))).toBe(false);
      }
    });

    here('softmax: what is masked is not read, and a row that is fully masked is 0', async () => {
      for (const hidden of [inf, -inf, nan]) {
        for (const [length, wanted] of [
          [2, [...softmax([1, 2]), 0]],
          [0, [0, 0, 0]],
        ] as const) {
          const lengths = tf.tensor1d([length], 'int32');
          const found = await weights(length === 0 ? [hidden, 1, nan] : [1, 2, hidden], { keyLengths: lengths });
          expect(relativeError(found, wanted)).toBeLessThan(1e-6);
          lengths.dispose();
        }
        if (Number.isNaN(hidden)) continue;
        const causal = await weights([1, 2, hidden], { causalOffset: 1 });
        expect(relativeError(causal, [...softmax([1, 2]), 0])).toBeLessThan(1e-6);
      }
    });
  });
});

test('empty batches pass through', async () => {
  await startEngine();
  tf.tidy(() => {
    expect(fused.layerNorm(tf.zeros([0, 4]), tf.ones([4]), tf.zeros([4]), 1e-5).shape).toEqual([0, 4]);
    expect(fused.linear(tf.zeros([0, 4]), tf.zeros([4, 3]), tf.ones([3])).shape).toEqual([0, 3]);
    expect(fused.gelu(tf.zeros([0])).shape).toEqual([0]);
    expect(fused.maskLoss(tf.zeros([0, 4, 4]), tf.zeros([0, 4, 4])).bce.shape).toEqual([0]);
    const grad = tf.grad((w: tf.Tensor) => fused.linear(tf.zeros([0, 4]), w as tf.Tensor2D, null))(tf.ones([4, 3]));
    expect([...grad.dataSync()]).toEqual(new Array<number>(12).fill(0));
  });
});

test('only the gradients asked for are computed: frozen weights cost nothing', async () => {
  await startEngine();
  const profile = await tf.profile(() =>
    tf.tidy(() => {
      const [w, gamma] = [tf.ones<tf.Rank.R2>([4, 3]), tf.ones([4])];
      return tf.grad((x: tf.Tensor) => fused.linear(fused.rmsNorm(x, gamma, 1e-6), w, null))(tf.ones([2, 4]));
    }),
  );
  expect(profile.kernelNames).toContain('GsvaLinearGradX');
  expect(profile.kernelNames).not.toContain('GsvaLinearGradW');
  expect(profile.kernelNames).not.toContain('GsvaRmsNormGradGamma');
  tf.dispose(profile.result);
});

test('wrong shapes are refused with the shapes in the message', async () => {
  await startEngine({ engine: 'wasm' });
  tf.tidy(() => {
    expect(() => fused.linear(tf.zeros([2, 3]), tf.zeros([4, 2]), null)).toThrow(/linear expects.*\[2, 3\].*\[4, 2\]/);
    expect(() => fused.softmaxCrossEntropy(tf.zeros([2, 3]), tf.tensor1d([0, 3], 'int32'))).toThrow(/label 3 of row 1/);
    expect(() => fused.rotary(tf.zeros([1, 1, 2, 3]), tf.zeros([2, 3]), tf.zeros([2, 3]))).toThrow(/rotary expects/);
  });
});
