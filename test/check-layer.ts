/**
 * What every layer promises, as one set of tests (after keras-hub's `run_layer_test`): it can be serialised, has the
 * published parameters, tells its output's shape, learns, and frees what it takes.
 */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../src/engine/engine.js';
import * as tf from '../src/engine/tf.js';
import { CompositeLayer, type Shape } from '../src/nn/composite-layer.js';
import { Random } from '../src/random.js';
import { buildRandom, largest, largestDifference, normal, stored, valuesOf, variablesOf } from './helpers/tensors.js';

export interface LayerCheck {
  /** A tiny one, not built. */
  readonly create: () => CompositeLayer;
  /** Inputs of `call`. */
  readonly inputs: (random: Random) => tf.Tensor[];
  readonly outputShapes: readonly (readonly number[])[];
  /** Every parameter's hierarchical name and its shape as PyTorch stores it. */
  readonly parameters: Readonly<Record<string, readonly number[]>>;
  /**
   * Exactly the parameters by which the output's gradient is zero: those that `call` does not use, and biases of keys,
   * which add the same to all scores of a query.
   */
  readonly withoutGradient?: RegExp;
}

const LEARNING_RATE = 1e-3;
/** Relative to the largest gradient of the layer; below is rounding. */
const ZERO_GRADIENT = 1e-6;

/** Declares the tests of one layer class. */
export function checkLayer(className: string, check: LayerCheck): void {
  describe(`${className}, like every layer`, () => {
    beforeAll(async () => {
      await startEngine({ engine: 'wasm' });
    });

    test('is registered and comes back equal from its config as JSON', () => {
      const layer = check.create();
      layer.trainable = false;
      const config = layer.getConfig();
      const [constructor, fromConfig] = registered(layer.getClassName());
      const copy = fromConfig(constructor, JSON.parse(JSON.stringify(config)) as tf.serialization.ConfigDict);
      expect(copy).toBeInstanceOf(layer.constructor);
      expect(copy.getConfig()).toEqual(config);
      if (!(copy instanceof CompositeLayer)) throw new Error(`${className} is not a CompositeLayer`);
      expect([copy.name, copy.trainable]).toEqual([layer.name, false]);
    });

    test('has exactly the published parameters, all of them among its weights', () => {
      const layer = check.create();
      layer.build();
      const parameters = layer.namedParameters();
      const shapes = Object.fromEntries([...parameters.keys()].map((name) => [name, stored(layer, name).shape]));
      expect(shapes).toEqual(check.parameters);
      const variables = [...parameters.values()].map(({ variable }) => variable);
      expect(new Set(layer.weights)).toEqual(new Set(variables));
      expect(layer.weights).toHaveLength(variables.length);
      expect(layer.trainableWeights).toHaveLength(variables.length);
      const sizes = Object.values(check.parameters).map((shape) => tf.util.sizeFromShape([...shape]));
      expect(layer.countParams()).toBe(sizes.reduce((a, b) => a + b, 0));
      layer.trainable = false;
      expect([layer.trainableWeights.length, layer.nonTrainableWeights.length]).toEqual([0, variables.length]);
      layer.dispose();
    });

    test('computes outputs of the shape it tells beforehand, the same by call and by apply', () => {
      const layer = buildRandom(check.create(), new Random(1));
      const inputs = check.inputs(new Random(2));
      const outputs = run(layer, inputs);
      const shapes = outputs.map((output) => output.shape);
      expect(shapes).toEqual(check.outputShapes);
      expect(outputs.every((output) => valuesOf(output).every((value) => Number.isFinite(value)))).toBe(true);
      const inputShapes = inputs.map((input) => input.shape as Shape);
      expectToAgree(outputShapesOf(layer, inputShapes), shapes);
      expectToAgree(
        outputShapesOf(
          layer,
          inputShapes.map(([, ...rest]) => [null, ...rest]),
        ),
        shapes,
      );
      const applied = asList(layer.apply(oneOrAll(inputs)) as tf.Tensor | tf.Tensor[]);
      expect(applied.map((output) => valuesOf(output))).toEqual(outputs.map((output) => valuesOf(output)));
      tf.dispose([inputs, outputs, applied]);
      layer.dispose();
    });

    test('learns: one step changes all that has a gradient and lowers the loss', () => {
      const layer = buildRandom(check.create(), new Random(3));
      const inputs = check.inputs(new Random(4));
      const targets = check.outputShapes.map((shape, index) => normal(new Random(5 + index), [...shape]));
      const loss = (): tf.Scalar =>
        tf.addN(
          run(layer, inputs).map((y, i) => tf.mean(tf.squaredDifference(y, targets[i] as tf.Tensor))),
        ) as tf.Scalar;
      const before = tf.tidy(() => loss().arraySync());
      const { changed, unchanged } = trainOneStep(layer, loss);
      const named = Object.keys(check.parameters);
      const expected = named.filter((name) => check.withoutGradient?.test(name) === true);
      expect(unchanged.sort()).toEqual(expected.sort());
      expect(changed.sort()).toEqual(named.filter((name) => !expected.includes(name)).sort());
      const after = tf.tidy(() => loss().arraySync());
      if (changed.length > 0) expect(after).toBeLessThan(before);
      tf.dispose([inputs, targets]);
      layer.dispose();
    });

    test('leaves nothing behind but its outputs and, disposed, nothing at all', () => {
      const atStart = tf.memory().numTensors;
      const layer = buildRandom(check.create(), new Random(6));
      const count = Object.keys(check.parameters).length;
      expect(tf.memory().numTensors).toBe(atStart + count);
      const inputs = check.inputs(new Random(7));
      const outputs = run(layer, inputs);
      expect(tf.memory().numTensors).toBe(atStart + count + inputs.length + check.outputShapes.length);
      // Outputs are their own: they can be disposed without taking inputs or parameters away.
      tf.dispose(outputs);
      tf.dispose(run(layer, inputs));
      tf.dispose(inputs);
      expect(tf.memory().numTensors).toBe(atStart + count);
      expect(layer.dispose().numDisposedVariables).toBe(count);
      expect(tf.memory().numTensors).toBe(atStart);
    });
  });
}

type Registered = [
  tf.serialization.SerializableConstructor<tf.serialization.Serializable>,
  tf.serialization.FromConfigMethod<tf.serialization.Serializable>,
];

function registered(className: string): Registered {
  const found = tf.serialization.SerializationMap.getMap().classNameMap[className];
  if (found === undefined) throw new Error(`${className} is not registered`);
  return found;
}

function oneOrAll<T>(list: T[]): T | T[] {
  return list.length === 1 ? (list[0] as T) : list;
}

function asList<T>(value: T | T[]): T[] {
  return Array.isArray(value) ? value : [value];
}

function run(layer: CompositeLayer, inputs: tf.Tensor[]): tf.Tensor[] {
  return asList(layer.call(oneOrAll(inputs), {}));
}

function outputShapesOf(layer: CompositeLayer, inputShapes: Shape[]): Shape[] {
  const shapes = layer.computeOutputShape(oneOrAll<Shape>(inputShapes));
  return Array.isArray(shapes[0]) ? (shapes as Shape[]) : [shapes as Shape];
}

/** `null` stands for what cannot be known beforehand. */
function expectToAgree(told: Shape[], found: number[][]): void {
  expect(told.map((shape) => shape.length)).toEqual(found.map((shape) => shape.length));
  const filled = told.map((shape, i) => shape.map((size, axis) => size ?? found[i]?.[axis]));
  expect(filled).toEqual(found);
}

/** One step down the gradient, scaled per parameter so that none is lost to rounding. */
function trainOneStep(layer: CompositeLayer, loss: () => tf.Scalar): { changed: string[]; unchanged: string[] } {
  const variables = variablesOf(layer);
  const changed: string[] = [];
  const unchanged: string[] = [];
  if (variables.size === 0) return { changed, unchanged };
  const { value, grads } = tf.variableGrads(loss, [...variables.values()]);
  // Where the loss does not depend on a variable, tfjs says null (its types do not).
  const gradientOf = ({ name }: tf.Variable): tf.Tensor | null =>
    (grads as Record<string, tf.Tensor | null>)[name] ?? null;
  const slopeOf = (gradient: tf.Tensor | null): number => (gradient === null ? 0 : largest(valuesOf(gradient)));
  const floor = ZERO_GRADIENT * Math.max(...[...variables.values()].map((variable) => slopeOf(gradientOf(variable))));
  for (const [name, variable] of variables) {
    const gradient = gradientOf(variable);
    const slope = slopeOf(gradient);
    const old = valuesOf(variable);
    if (gradient !== null && slope > floor) {
      tf.tidy(() => {
        variable.assign(tf.sub(variable, tf.mul(gradient, LEARNING_RATE / slope)));
      });
    }
    const moved = largestDifference(old, valuesOf(variable));
    (moved > LEARNING_RATE / 2 ? changed : unchanged).push(name);
  }
  tf.dispose([value, ...Object.values(grads)]);
  return { changed, unchanged };
}
