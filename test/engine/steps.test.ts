/** Steps one after another free what only they needed, keep what a tape needs, and never the caller's input. */
import { beforeAll, expect, test } from '@jest/globals';
import { startEngine } from '../../src/engine/engine.js';
import { atOnce, inTurnSteps } from '../../src/engine/steps.js';
import * as tf from '../../src/engine/tf.js';
import { valuesOf } from '../helpers/tensors.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

const inTurn = (x: tf.Tensor, layers: readonly ((x: tf.Tensor) => tf.Tensor)[]): tf.Tensor =>
  atOnce(
    inTurnSteps(
      x,
      layers.map((forward) => ({ forward })),
    ),
  );

const STEPS = [
  (x: tf.Tensor): tf.Tensor => tf.add(tf.square(x), tf.relu(x)),
  (x: tf.Tensor): tf.Tensor => tf.mul(tf.sigmoid(x), 3),
  (x: tf.Tensor): tf.Tensor => tf.sub(tf.square(x), 1),
];

test("applies them in order; one tensor is new, the input is the caller's", () => {
  const x = tf.tensor1d([-1, 0.5, 2]);
  const before = tf.memory().numTensors;
  const y = inTurn(x, STEPS);
  expect(tf.memory().numTensors).toBe(before + 1);
  const sigmoid = (value: number): number => 1 / (1 + Math.exp(-value));
  const expected = [-1, 0.5, 2].map((v) => (3 * sigmoid(v * v + Math.max(v, 0))) ** 2 - 1);
  expect(Array.from(valuesOf(y)).map((v, i) => Math.abs(v - (expected[i] ?? NaN)))).toEqual(
    expected.map(() => expect.closeTo(0, 5)),
  );
  expect(inTurn(x, [])).toBe(x);
  tf.dispose([x, y]);
});

test('holds no more tensors with twenty steps than with three', () => {
  const x = tf.ones([4]);
  let most = 0;
  const counting = (input: tf.Tensor): tf.Tensor => {
    const output = tf.add(input, 1);
    most = Math.max(most, tf.memory().numTensors);
    return output;
  };
  const mostOf = (steps: number): number => {
    most = 0;
    inTurn(
      x,
      Array.from({ length: steps }, () => counting),
    ).dispose();
    return most;
  };
  expect(mostOf(20)).toBe(mostOf(3));
  x.dispose();
});

test('the gradient through the steps is that of their composition', () => {
  const x = tf.tensor1d([-1, 0.5, 2]);
  const [turned, composed] = [
    tf.grad((v) => tf.sum(inTurn(v, STEPS)))(x),
    tf.grad((v) => tf.sum(STEPS.reduce((input, step) => step(input), v)))(x),
  ] as const;
  expect(Array.from(valuesOf(turned))).toEqual(Array.from(valuesOf(composed)));
  tf.dispose([x, turned, composed]);
});
