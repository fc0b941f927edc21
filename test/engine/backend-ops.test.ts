/** The operations that models use, forward and backward, on the WASM engine against tfjs's cpu backend. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../src/engine/engine.js';
import { startWasmEngine } from '../helpers/wasm-engine.js';
import * as tf from '../../src/engine/tf.js';
import { accumulate } from '../../src/engine/update-ops.js';

type Operation = (x: tf.Tensor2D) => tf.Tensor;

const VALUES = [0.1, 0.5, -0.3, 1.2, -0.7, 0.4];
const positive = (x: tf.Tensor): tf.Tensor => tf.add(tf.abs(x), 0.1);
const rows = (): tf.Tensor1D => tf.tensor1d([1, 0, 1], 'int32');
const image = (x: tf.Tensor): tf.Tensor4D => tf.reshape(x, [1, 2, 3, 1]);
const condition = (): tf.Tensor2D => tf.tensor2d([1, 0, 1, 0, 0, 1], [2, 3], 'bool');
const plane = (): tf.Tensor4D =>
  tf.tensor4d(
    Array.from({ length: 2 * 5 * 6 * 3 }, (_, i) => Math.sin(i)),
    [2, 5, 6, 3],
  );

const differentiable: Readonly<Record<string, Operation>> = {
  matMul: (x) => tf.matMul(x, x, false, true),
  'gather rows (embedding)': (x) => tf.gather(x, rows()),
  'gather of a matrix of indices': (x) => tf.gather(x, tf.tensor2d([1, 0, 1, 1], [2, 2], 'int32')),
  'gather columns': (x) => tf.gather(x, rows(), 1),
  softmax: (x) => tf.softmax(x),
  logSoftmax: (x) => tf.logSoftmax(x),
  logSumExp: (x) => tf.logSumExp(x, 1),
  sigmoid: tf.sigmoid,
  logSigmoid: tf.logSigmoid,
  softplus: tf.softplus,
  tanh: tf.tanh,
  erf: tf.erf,
  exp: tf.exp,
  expm1: tf.expm1,
  log: (x) => tf.log(positive(x)),
  log1p: tf.log1p,
  sqrt: (x) => tf.sqrt(positive(x)),
  rsqrt: (x) => tf.rsqrt(positive(x)),
  square: tf.square,
  pow: (x) => tf.pow(positive(x), 3),
  abs: tf.abs,
  relu: tf.relu,
  elu: tf.elu,
  sin: tf.sin,
  cos: tf.cos,
  neg: tf.neg,
  where: (x) => tf.where(condition(), x, tf.neg(x)),
  concat: (x) => tf.concat([x, x], 1),
  slice: (x) => tf.slice(x, [0, 1], [2, 2]),
  'slice of the middle': (x) => tf.slice(tf.reshape(tf.tile(x, [4, 3]), [2, 4, 3, 3]), [1, 1, 0, 1], [1, 2, 3, 2]),
  'slice of whole rows': (x) => tf.slice(tf.reshape(tf.tile(x, [4, 1]), [2, 4, 3]), [1, 1, 0], [1, 2, 3]),
  'slice of nothing left out': (x) => tf.slice(x, [0, 0], [2, 3]),
  'slice to the end': (x) => tf.slice(x, [1, 1], [-1, -1]),
  pad: (x) =>
    tf.pad(x, [
      [1, 0],
      [0, 2],
    ]),
  transpose: (x) => tf.transpose(x),
  'transpose of heads': (x) => tf.transpose(tf.reshape(x, [1, 2, 3, 1]), [0, 2, 1, 3]),
  reshape: (x) => tf.reshape(x, [6]),
  tile: (x) => tf.tile(x, [2, 2]),
  broadcastTo: (x) => tf.broadcastTo(x, [4, 2, 3]),
  expandDims: (x) => tf.expandDims(x, 1),
  stack: (x) => tf.stack([x, x], 1),
  unstack: (x) => tf.unstack(x)[1] as tf.Tensor,
  split: (x) => tf.split(x, 3, 1)[1] as tf.Tensor,
  'split into unequal parts': (x) => tf.split(tf.tile(x, [2, 2]), [1, 3, 2], -1)[1] as tf.Tensor,
  clone: (x) => tf.mul(tf.clone(x), x),
  'sum over rows': (x) => tf.sum(x, 0),
  mean: (x) => tf.mean(x, 1),
  max: (x) => tf.max(x, 1),
  min: (x) => tf.min(x, 1),
  cumsum: (x) => tf.cumsum(x, 1),
  maximum: (x) => tf.maximum(x, 0.2),
  minimum: (x) => tf.minimum(x, 0.2),
  clipByValue: (x) => tf.clipByValue(x, -0.2, 0.6),
  div: (x) => tf.div(x, tf.add(positive(x), 1)),
  squaredDifference: (x) => tf.squaredDifference(x, 0.1),
  'add with broadcasting': (x) => tf.add(tf.reshape(x, [2, 3, 1]), tf.reshape(x, [1, 1, 6])),
  'mul with broadcasting': (x) => tf.mul(tf.reshape(x, [2, 3, 1]), tf.reshape(x, [1, 1, 6])),
  reverse: (x) => tf.reverse(x, 1),
  // Square, because the cpu backend's gradient swaps height and width.
  resizeBilinear: (x) => tf.image.resizeBilinear(square(x), [5, 7]),
  'conv2d, its input': (x) => tf.conv2d(image(x), tf.ones([2, 2, 1, 2]), 1, 'same'),
  'conv2d, its filter': (x) => tf.conv2d(plane(), tf.reshape(x, [1, 2, 3, 1]), 1, 'same'),
  'conv2d, its filter, strides': (x) => tf.conv2d(plane(), tf.reshape(tf.tile(x, [3, 2]), [2, 2, 3, 3]), 2, 'same'),
  'conv2d, its filter, explicit padding': (x) => tf.conv2d(plane(), tf.reshape(tf.tile(x, [9, 1]), [3, 3, 3, 2]), 1, 1),
};

const square = (x: tf.Tensor): tf.Tensor4D => tf.reshape(tf.concat([x, x, tf.neg(x)]), [1, 3, 3, 2]);

const others: Readonly<Record<string, Operation>> = {
  argMax: (x) => tf.argMax(x, 1),
  'argMax of ties': () => tf.argMax(tf.tensor2d([1, 3, 3, 2, 2, 1], [2, 3]), 1),
  oneHot: () => tf.oneHot(rows(), 3),
  'resizeBilinear, half-pixel centres': (x) => tf.image.resizeBilinear(image(x), [5, 7], false, true),
  'topk values': (x) => tf.topk(x, 2).values,
  'topk indices': (x) => tf.topk(x, 2).indices,
  'slice of one number': (x) => tf.slice(tf.reshape(x, [6]), 2, 1),
  'slice of bool': () => tf.slice(condition(), [1, 0], [1, 2]),
  'slice of int32': () => tf.slice(rows(), 1, 2),
  'slice without elements': (x) => tf.slice(x, [0, 1], [2, 0]),
  stridedSlice: (x) => tf.stridedSlice(x, [0, 0], [2, 3], [1, 2]),
  isNaN: (x) => tf.isNaN(tf.sqrt(x)),
  isFinite: (x) => tf.isFinite(tf.log(tf.relu(x))),
  sign: tf.sign,
  floor: tf.floor,
  round: tf.round,
  range: () => tf.range(0, 5, 1, 'int32'),
  fill: () => tf.fill([2, 2], 3),
  greater: (x) => tf.greater(x, 0.1),
  lessEqual: (x) => tf.lessEqual(x, 0.1),
  notEqual: () => tf.notEqual(rows(), 1),
  logicalAnd: (x) => tf.logicalAnd(tf.greater(x, 0), tf.less(x, 0.5)),
  logicalNot: () => tf.logicalNot(condition()),
  any: () => tf.any(condition(), 1),
  'cast of bool': () => tf.cast(condition(), 'int32'),
  'where of int32': () => tf.where(tf.greater(rows(), 0), rows(), tf.fill([3], 7, 'int32')),
  'gather with batches': (x) => tf.gather(x, tf.tensor2d([2, 0, 1, 1], [2, 2], 'int32'), 1, 1),
  'gather of bool': () => tf.gather(condition(), rows()),
  'gather of int32': () => tf.gather(rows(), rows()),
  'unsortedSegmentSum drops negative ids': (x) => tf.unsortedSegmentSum(x, tf.tensor1d([-1, 2], 'int32'), 3),
};

interface Result {
  readonly value: number[];
  readonly gradient: number[];
}

function compute(operation: Operation, withGradient: boolean): Result {
  const before = tf.memory().numTensors;
  const result = tf.tidy(() => {
    const x = tf.tensor2d(VALUES, [2, 3]);
    const value = operation(x);
    // Weights that differ, so that a gradient in the wrong place shows.
    const weights = tf.cos(tf.reshape(tf.range(0, value.size, 1, 'float32'), value.shape));
    const gradient = withGradient
      ? [
          ...tf
            .grad((y: tf.Tensor) => operation(y as tf.Tensor2D))(x, weights)
            .dataSync(),
        ]
      : [];
    return { value: [...value.dataSync()], gradient };
  });
  expect(tf.memory().numTensors).toBe(before);
  return result;
}

function computeAll(): Map<string, Result> {
  return new Map([
    ...Object.entries(differentiable).map(([name, operation]) => [name, compute(operation, true)] as const),
    ...Object.entries(others).map(([name, operation]) => [name, compute(operation, false)] as const),
  ]);
}

function expectEqual(actual: readonly number[], wanted: readonly number[]): void {
  expect(actual.length).toBe(wanted.length);
  wanted.forEach((value, i) => {
    expect(actual[i]).toBeCloseTo(value, 5);
  });
}

test.each<[string, () => tf.Tensor]>([
  ['begins before the tensor', () => tf.slice(tf.zeros([2, 3]), [-1, 0], [1, 1])],
  ['ends behind the tensor', () => tf.slice(tf.zeros([2, 3]), [1, 1], [1, 3])],
])('a slice that %s is refused', async (_, slice) => {
  await startEngine({ engine: 'wasm' });
  const before = tf.memory().numTensors;
  expect(() => tf.tidy(slice)).toThrow(/slice|begin/i);
  expect(tf.memory().numTensors).toBe(before);
});

test('a clone shares memory with its tensor and outlives it; a variable changed in place leaves its clone alone', async () => {
  await startEngine({ engine: 'wasm' });
  const x = tf.tensor1d([1, 2, 3]);
  const buffers = tf.memory().numDataBuffers;
  const y = tf.clone(x);
  expect(tf.memory().numDataBuffers).toBe(buffers);
  x.dispose();
  expect([...y.dataSync()]).toEqual([1, 2, 3]);
  const variable = tf.variable(tf.tensor1d([4, 5]));
  const kept = tf.clone(variable);
  accumulate(variable, tf.tensor1d([1, 1]));
  expect([...variable.dataSync(), ...kept.dataSync()]).toEqual([5, 6, 4, 5]);
  tf.dispose([y, variable, kept]);
});

describe.each(['fastest WASM', 'wasm'])('engine %s', (engine) => {
  let wanted = new Map<string, Result>();
  beforeAll(async () => {
    await startEngine({ engine: 'cpu' });
    wanted = computeAll();
    await startWasmEngine(engine);
  });

  test.each(Object.keys(differentiable))('%s and its gradient', (name) => {
    const actual = compute(differentiable[name] as Operation, true);
    expectEqual(actual.value, wanted.get(name)?.value ?? []);
    expectEqual(actual.gradient, wanted.get(name)?.gradient ?? []);
  });

  test.each(Object.keys(others))('%s', (name) => {
    expectEqual(compute(others[name] as Operation, false).value, wanted.get(name)?.value ?? []);
  });
});
