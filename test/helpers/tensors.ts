/** Seeded tensors, and what tests read out of layers. */
import * as tf from '../../src/engine/tf.js';
import { inStoredLayout } from '../../src/checkpoints/weights.js';
import type { CompositeLayer } from '../../src/nn/composite-layer.js';
import type { Random } from '../../src/random.js';

/** A tensor of N(0, deviation). */
export function normal(random: Random, shape: number[], deviation = 1): tf.Tensor {
  const values = Float32Array.from({ length: tf.util.sizeFromShape(shape) }, () => deviation * random.normal());
  return tf.tensor(values, shape);
}

/** Builds a layer and makes every parameter random, those too that start as a constant (norms near 1). */
export function buildRandom<L extends CompositeLayer>(layer: L, random: Random, noise = 0.2): L {
  layer.build();
  layer.randomize(random);
  for (const { variable } of layer.namedParameters().values()) {
    tf.tidy(() => {
      variable.write(tf.add(variable.read(), normal(random, variable.shape as number[], noise)));
    });
  }
  return layer;
}

/** The values, which are read without disposing. */
export function valuesOf(tensor: tf.Tensor): Float32Array {
  return Float32Array.from(tensor.dataSync());
}

/** Every parameter's variable by hierarchical name. */
export function variablesOf(layer: CompositeLayer): Map<string, tf.Variable> {
  const isVariable = (tensor: tf.Tensor): tensor is tf.Variable => tensor instanceof tf.Variable;
  return new Map(
    [...layer.namedParameters()].map(([name, { variable }]) => {
      const value = variable.read();
      if (!isVariable(value)) throw new Error(`"${name}" is not a variable`);
      return [name, value];
    }),
  );
}

/** A parameter as PyTorch stores it. */
export function stored(layer: CompositeLayer, name: string): { shape: number[]; data: Float32Array } {
  const parameter = layer.namedParameters().get(name);
  if (parameter === undefined) throw new Error(`no parameter "${name}"`);
  const tensor = inStoredLayout(parameter.variable.read(), parameter.layout);
  const data = Float32Array.from(tensor.dataSync());
  tensor.dispose();
  return { shape: tensor.shape, data };
}

/** Largest absolute difference; Infinity when the lengths differ or a value is NaN. */
export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity;
  let most = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs((a[i] as number) - (b[i] as number));
    most = Number.isNaN(difference) ? Infinity : Math.max(most, difference);
  }
  return most;
}

/** Largest absolute value. */
export function largest(a: ArrayLike<number>): number {
  return Array.from(a).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}

/** Makes one number of a weight NaN, the fourth. */
export function plantNaN(layer: CompositeLayer, name: string): void {
  const variable = layer.namedParameters().get(name)?.variable;
  if (variable === undefined) throw new Error(`there is no ${name}`);
  tf.tidy(() => {
    const before = variable.read();
    const values = before.dataSync<'float32'>().slice();
    values[3] = NaN;
    variable.write(tf.tensor(values, before.shape));
  });
}
