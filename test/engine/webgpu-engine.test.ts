/**
 * The engine webgpu against tfjs's cpu backend: its own kernels, the operations of the model and their gradients, large
 * weights by blocks, and what it says where it cannot work. On a graphics card if there is one, else on SwiftShader;
 * skipped, with the reason, without both. (`gsva verify --engine webgpu` runs the whole model.)
 */
import { beforeAll, describe, expect, jest, test } from '@jest/globals';
import * as composites from '../../src/engine/composites.js';
import { startEngine } from '../../src/engine/engine.js';
import { adamWUpdate, sumOfSquares } from '../../src/engine/fused-ops.js';
import { PackedMatrix } from '../../src/engine/packed-matrix.js';
import * as tf from '../../src/engine/tf.js';
import type { WebGpuBackend } from '../../src/engine/webgpu-kernels.js';
import { registerBlockKernels, rowBlocks } from '../../src/engine/webgpu-blocks.js';
import { UserError } from '../../src/errors.js';
import { Random } from '../../src/random.js';
import { provideAdapter } from '../helpers/swiftshader.js';
import { largestDifference, normal } from '../helpers/tensors.js';

let skipped: string | null = null;

beforeAll(async () => {
  skipped = await provideAdapter();
  if (skipped !== null) process.stderr.write(`webgpu-engine.test.ts does nothing: ${skipped}\n`);
});

/** A test that needs an adapter. */
function onWebGpu(name: string, run: () => Promise<void>): void {
  test(name, async () => {
    if (skipped !== null) return;
    await startEngine({ engine: 'webgpu' });
    await run();
  });
}

type Computation = () => tf.Tensor | tf.Tensor[];

/** All numbers that a computation gives on an engine. */
async function numbersOn(engine: 'cpu' | 'webgpu', compute: Computation): Promise<number[]> {
  await startEngine({ engine });
  const results = [tf.tidy(compute)].flat();
  const numbers: number[] = [];
  for (const result of results) numbers.push(...(await result.data()));
  tf.dispose(results);
  return numbers;
}

async function expectEqualOnBoth(compute: Computation, tolerance: number): Promise<void> {
  const expected = await numbersOn('cpu', compute);
  const found = await numbersOn('webgpu', compute);
  expect(found.length).toBeGreaterThan(0);
  expect(largestDifference(found, expected)).toBeLessThan(tolerance);
}

/** Value and gradients of a function of random tensors. */
function withGradients(shapes: number[][], compute: (...inputs: tf.Tensor[]) => tf.Tensor): Computation {
  return () => {
    const random = new Random(5);
    const inputs = shapes.map((shape) => normal(random, shape));
    const { value, grads } = tf.valueAndGrads(compute)(inputs, normal(random, compute(...inputs).shape));
    return [value, ...grads];
  };
}

describe('an engine like the others', () => {
  onWebGpu('says which card computes, and starts twice as one', async () => {
    const info = await startEngine({ engine: 'webgpu' });
    expect(info).toMatchObject({ name: 'webgpu', threads: 0, blas: null });
    expect(info.device).not.toBe('');
    await startEngine({ engine: 'cpu' });
    const backend = tf.findBackend('webgpu');
    await startEngine({ engine: 'webgpu' });
    expect(tf.findBackend('webgpu')).toBe(backend);
    expect(tf.getBackend()).toBe('webgpu');
  });

  onWebGpu('leaves no navigator behind that would keep Node running', () => {
    const { navigator } = globalThis as { readonly navigator?: { readonly gpu?: unknown } };
    expect(navigator?.gpu).toBeUndefined();
    return Promise.resolve();
  });

  onWebGpu('a result that is read at once is refused by name, without a word on the console', async () => {
    const warn = jest.spyOn(console, 'warn').mockImplementation(() => undefined);
    const x = tf.square(tf.range(0, 2000, 1, 'float32'));
    expect(() => x.dataSync()).toThrow(UserError);
    expect(() => x.dataSync()).toThrow('webgpu cannot read results at once');
    expect((await x.data())[3]).toBe(9);
    expect(x.dataSync()[3]).toBe(9); // read already
    expect(warn).not.toHaveBeenCalled();
    warn.mockRestore();
    x.dispose();
  });
});

describe('operations', () => {
  onWebGpu('sine and cosine are good to 1e-6, far beyond one turn too', async () => {
    const angles = Float32Array.from({ length: 4001 }, (_, i) => (i - 2000) / 7);
    const both = await numbersOn('webgpu', () => [tf.sin(tf.tensor1d(angles)), tf.cos(tf.tensor1d(angles))]);
    const expected = [...Array.from(angles, Math.sin), ...Array.from(angles, Math.cos)];
    expect(largestDifference(both, expected)).toBeLessThan(1e-6);
  });

  const mask = (): tf.Tensor3D =>
    tf.tensor3d(
      Array.from({ length: 2 * 31 * 37 }, (_, i) => (i % 5 < 2 ? 1 : 0)),
      [2, 31, 37],
    );
  const lossesOf = ({ bce, dice }: { bce: tf.Tensor; dice: tf.Tensor }): tf.Tensor => tf.concat([bce, dice]);
  const cases: [string, Computation][] = [
    [
      'linear',
      withGradients([[3, 30, 24], [24, 17], [17]], (x, w, b) =>
        composites.linearComposite(x, w as tf.Tensor2D, b as tf.Tensor1D),
      ),
    ],
    ['layerNorm', withGradients([[6, 33], [33], [33]], (x, g, b) => composites.layerNormComposite(x, g, b, 1e-5))],
    ['rmsNorm', withGradients([[6, 33], [33]], (x, g) => composites.rmsNormComposite(x, g, 1e-6))],
    ['gelu', withGradients([[4, 300]], (x) => composites.geluComposite(x))],
    [
      'siluMul',
      withGradients(
        [
          [4, 300],
          [4, 300],
        ],
        (x, y) => composites.siluMulComposite(x, y),
      ),
    ],
    [
      'maskedSoftmax',
      withGradients([[3, 2, 9, 11]], (x) =>
        composites.maskedSoftmaxComposite(x as tf.Tensor4D, 0.3, 2, tf.tensor1d([5, 0, 11], 'int32')),
      ),
    ],
    [
      'softmaxCrossEntropy',
      withGradients([[5, 300]], (x) =>
        composites.softmaxCrossEntropyComposite(x as tf.Tensor2D, tf.tensor1d([4, -100, 0, 299, -100], 'int32'), -100),
      ),
    ],
    ['maskLoss', withGradients([[2, 31, 37]], (x) => lossesOf(composites.maskLossComposite(x as tf.Tensor3D, mask())))],
    ['lookup, indices twice', withGradients([[90, 24]], (x) => tf.gather(x, tf.tensor1d([3, 89, 3, 0, 3], 'int32')))],
  ];
  for (const [name, compute] of cases) {
    onWebGpu(`${name}: value and gradients`, () => expectEqualOnBoth(compute, 2e-5));
  }
});

describe('weights larger than what is bound at once', () => {
  test('blocks of rows begin at multiples of 256 bytes, fit, and cover all rows', () => {
    for (const shape of [[604, 48], [100, 3], [7, 64], [999], [5, 1000]]) {
      const rowBytes = 4 * tf.util.sizeFromShape(shape.slice(1));
      const blocks = rowBlocks(shape, 260_000);
      expect(blocks[0]?.begin).toBe(0);
      expect(blocks.at(-1)?.end).toBe(shape[0]);
      for (const [i, { begin, end }] of blocks.entries()) {
        expect((begin * rowBytes) % 256).toBe(0);
        expect((end - begin) * rowBytes).toBeLessThanOrEqual(260_000);
        if (i > 0) expect(begin).toBe(blocks[i - 1]?.end);
      }
    }
    expect(() => rowBlocks([4, 1000], 2000)).toThrow(UserError);
  });

  // Of a table of 9.6 KB, 8 KiB make two blocks.
  onWebGpu('lookup, head, their gradients and an update are as without a limit', async () => {
    const compute = (): tf.Tensor[] => {
      const random = new Random(3);
      const [table, head, x] = [normal(random, [100, 24]), normal(random, [24, 100]), normal(random, [9, 24])];
      const ids = tf.tensor1d([0, 99, 41, 42, 43, 41, 7, 85, 86], 'int32');
      const lookup = tf.valueAndGrad((weight) => tf.gather(weight, ids))(table, x);
      const logits = tf.valueAndGrads((a, weight) => tf.matMul(a, weight))([x, head], normal(random, [9, 100]));
      return [
        lookup.value,
        lookup.grad,
        logits.value,
        ...logits.grads,
        tf.transpose(head),
        tf.mul(table, tf.transpose(head)),
        tf.sum(table),
      ];
    };
    const updated = async (): Promise<number[]> => {
      const random = new Random(4);
      const variable = tf.tidy(() => tf.variable(normal(random, [100, 24])));
      const [m, v] = [0, 0].map(() => tf.tidy(() => tf.variable(tf.zeros([100, 24])))) as [tf.Variable, tf.Variable];
      const gradient = normal(random, [100, 24]);
      const options = { learningRate: 0.1, beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0.1, gradientScale: 0.5 };
      for (const step of [1, 2]) adamWUpdate({ variable, m, v, gradient, step, ...options });
      const norm = await sumOfSquares([gradient, m]);
      const numbers = [norm, ...(await variable.data())];
      tf.dispose([variable, m, v, gradient]);
      return numbers;
    };
    const expected = await numbersOn('cpu', compute);
    const expectedUpdate = await updated();
    await startEngine({ engine: 'webgpu' });
    registerBlockKernels(tf.backend() as WebGpuBackend, 8192); // from here on, in this process
    const before = tf.memory().numTensors;
    expect(largestDifference(await numbersOn('webgpu', compute), expected)).toBeLessThan(1e-4);
    const update = await updated();
    expect(Math.abs((update[0] ?? 0) / (expectedUpdate[0] ?? 1) - 1)).toBeLessThan(1e-5);
    expect(largestDifference(update.slice(1), expectedUpdate.slice(1))).toBeLessThan(1e-5);
    expect(tf.memory().numTensors).toBe(before);
  });

  onWebGpu('an activation that is too large is refused with its shape', async () => {
    const x = tf.ones([2, 2, 1000]);
    expect(() => tf.softmax(x)).toThrow('a tensor [4, 1000] is too large for this graphics card');
    x.dispose();
    await Promise.resolve();
  });
});

onWebGpu('packed matrices are widened on the way: product, gradient, rows', async () => {
  const bits = Uint16Array.from({ length: 9 * 20 }, (_, i) => 0x3c00 + ((i * 37) % 512));
  await expectEqualOnBoth(() => {
    const matrix = PackedMatrix.create(bits, 'F16', 9, 20, 50); // 2 rows at a time
    const { value, grad } = tf.valueAndGrad((x: tf.Tensor) => matrix.multiply(x))(
      normal(new Random(6), [2, 3, 20]),
      normal(new Random(7), [2, 3, 9]),
    );
    return [value, grad, matrix.gather(tf.tensor1d([8, 0, 3], 'int32')), matrix.widen()];
  }, 1e-4);
});
