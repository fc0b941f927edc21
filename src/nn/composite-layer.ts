/**
 * A Layers-API module that is made of other modules.
 *
 * tfjs-layers does not track child layers: their weights, trainability and disposal are invisible to the parent.
 * `CompositeLayer` does: `track(name, child)` and `parameter(name, …)` give every weight a hierarchical name that is
 * equal to its path in the published PyTorch checkpoint ('model.layers.0.self_attn.q_proj.weight').
 */
import * as tf from '../engine/tf.js';
import type { Random } from '../random.js';

type LayerArgs = Exclude<ConstructorParameters<typeof tf.layers.Layer>[0], undefined>;
export type Shape = (number | null)[];
export type LayerVariable = tf.layers.Layer['weights'][number];

/**
 * How PyTorch stores a parameter, where that differs from ours:
 * - 'same': identical shape.
 * - 'linear': PyTorch [out, in], ours [in, out].
 * - 'conv': PyTorch [out, in, kh, kw], ours [kh·kw·in, out] (a patch as one row).
 * - 'conv-transpose': PyTorch [in, out, kh, kw], ours [in, kh·kw·out].
 */
export type Layout =
  | { readonly kind: 'same' }
  | { readonly kind: 'linear' }
  | { readonly kind: 'conv'; readonly kernel: readonly [number, number] }
  | { readonly kind: 'conv-transpose'; readonly kernel: readonly [number, number] };

export interface Parameter {
  readonly variable: LayerVariable;
  readonly layout: Layout;
  readonly initial: Initial;
}

/** Initial value of a parameter: a constant, or N(0, deviation) once `randomize` is called (zero before). */
export type Initial = { readonly constant: number } | { readonly deviation: number };

const SAME: Layout = { kind: 'same' };

export abstract class CompositeLayer extends tf.layers.Layer {
  private readonly children = new Map<string, CompositeLayer>();
  private readonly declared: { name: string; shape: number[]; initial: Initial; layout: Layout }[] = [];
  private readonly parameters = new Map<string, Parameter>();

  constructor(args: LayerArgs = {}) {
    super(args);
  }

  /** The inverse of `getConfig`. Subclasses are constructed from their own sizes; what every layer has is set here. */
  static override fromConfig<T extends tf.serialization.Serializable>(
    constructor: tf.serialization.SerializableConstructor<T>,
    config: tf.serialization.ConfigDict,
  ): T {
    const { name, trainable, ...sizes } = config;
    const layer = new constructor(sizes);
    if (layer instanceof CompositeLayer) {
      if (typeof name === 'string') layer.name = name;
      if (typeof trainable === 'boolean') layer.trainable = trainable;
    }
    return layer;
  }

  /** Registers a child under its checkpoint name and returns it. Names may hold dots; '' adds no level. */
  protected track<T extends CompositeLayer>(name: string, child: T): T {
    if (this.children.has(name)) throw new Error(`${this.name}: child "${name}" is tracked twice`);
    this.children.set(name, child);
    return child;
  }

  /** Declares a parameter of this layer; it exists after `build`. `shape` is ours, not PyTorch's. */
  protected parameter(name: string, shape: number[], initial: Initial, layout: Layout = SAME): void {
    this.declared.push({ name, shape, initial, layout });
  }

  /** The current value of a parameter of this layer (not a copy; do not dispose). */
  protected value<R extends tf.Rank = tf.Rank>(name: string): tf.Tensor<R> {
    const parameter = this.parameters.get(name);
    if (parameter === undefined) throw new Error(`${this.getClassName()}: parameter "${name}" is read before build()`);
    return parameter.variable.read() as tf.Tensor<R>;
  }

  /** Creates the parameters of this layer and of all its children. Their sizes come from the config, not the input. */
  override build(inputShape: Shape | Shape[] = []): void {
    if (this.built) return;
    for (const { name, shape, initial, layout } of this.declared) {
      const value = 'constant' in initial ? initial.constant : 0;
      // Zeros are memory that is not touched until it is written.
      const initializer = value === 0 ? tf.initializers.zeros() : tf.initializers.constant({ value });
      const variable = this.addWeight(name, shape, 'float32', initializer);
      this.parameters.set(name, { variable, layout, initial });
    }
    for (const child of this.children.values()) child.build();
    super.build(inputShape);
  }

  /** Every parameter below this layer by hierarchical name, in declaration order. */
  namedParameters(prefix = ''): Map<string, Parameter> {
    const all = new Map<string, Parameter>();
    for (const [name, parameter] of this.parameters) all.set(prefix + name, parameter);
    for (const [name, child] of this.children) {
      const childPrefix = name === '' ? prefix : `${prefix}${name}.`;
      for (const [path, parameter] of child.namedParameters(childPrefix)) all.set(path, parameter);
    }
    return all;
  }

  /** Draws every parameter that starts random, in declaration order. */
  randomize(random: Random): void {
    for (const { variable, initial } of this.namedParameters().values()) {
      if (!('deviation' in initial)) continue;
      const shape = variable.shape as number[];
      const values = new Float32Array(tf.util.sizeFromShape(shape));
      for (let i = 0; i < values.length; i++) values[i] = random.normal() * initial.deviation;
      tf.tidy(() => {
        variable.write(tf.tensor(values, shape));
      });
    }
  }

  /** Own parameters and those of the children, except below a layer that was set to `trainable = false`. */
  override get trainableWeights(): LayerVariable[] {
    if (!this.trainable) return [];
    const own = [...this.parameters.values()].map((parameter) => parameter.variable);
    return [...own, ...[...this.children.values()].flatMap((child) => child.trainableWeights)];
  }

  override get nonTrainableWeights(): LayerVariable[] {
    const trainable = new Set(this.trainableWeights);
    const all = [...this.namedParameters().values()].map((parameter) => parameter.variable);
    return all.filter((variable) => !trainable.has(variable));
  }

  override dispose(): ReturnType<tf.layers.Layer['dispose']> {
    let disposedVariables = 0;
    for (const child of this.children.values()) disposedVariables += child.dispose().numDisposedVariables;
    for (const { variable } of this.parameters.values()) {
      variable.dispose();
      disposedVariables++;
    }
    this.parameters.clear();
    return { refCountAfterDispose: 0, numDisposedVariables: disposedVariables };
  }
}

/** The one tensor of a Layers-API input. */
export function single(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
  if (!Array.isArray(inputs)) return inputs;
  const [first] = inputs;
  if (first === undefined || inputs.length !== 1) throw new Error(`expected one input tensor, found ${inputs.length}`);
  return first;
}
