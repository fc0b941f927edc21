/**
 * A Layers-API module that consists of other modules. tfjs-layers does not track child layers: the parent would know
 * nothing of their weights, trainability and disposal. `track(name, child)` and `parameter(name, …)` give every weight
 * a hierarchical name equal to its path in the published PyTorch checkpoint ('model.layers.0.self_attn.q_proj.weight').
 */
import { PackedMatrix } from '../engine/packed-matrix.js';
import * as tf from '../engine/tf.js';
import { float32ToBfloat16 } from '../half-float.js';
import type { Random } from '../random.js';

export type Shape = (number | null)[];
type RankOf<S> = S extends [number] ? tf.Rank.R1 : S extends [number, number] ? tf.Rank.R2 : tf.Rank;
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
  | { readonly kind: 'conv' | 'conv-transpose'; readonly kernel: readonly [number, number] };

export interface Parameter {
  readonly variable: LayerVariable;
  readonly layout: Layout;
  readonly initial: Initial;
}

/** A frozen matrix in 16 bits (`packed-matrix.ts`), no variable. Rows and columns are those of PyTorch's layout. */
export interface PackedParameter extends Omit<Parameter, 'variable'> {
  readonly rows: number;
  readonly columns: number;
  /** The numbers; owned by the layer. */
  matrix: PackedMatrix;
}

/** Initial value of a parameter: a constant, or N(0, deviation) once `randomize` is called (zero before). */
export type Initial = { readonly constant: number } | { readonly deviation: number };

interface Declaration extends Omit<Parameter, 'variable'> {
  readonly name: string;
  readonly shape: number[];
  /** Whether the layer can compute with it packed. */
  readonly isPackable: boolean;
  isPacked: boolean;
}

export abstract class CompositeLayer extends tf.layers.Layer {
  private readonly children = new Map<string, CompositeLayer>();
  private readonly declared: Declaration[] = [];
  private readonly parameters = new Map<string, Parameter>();
  private readonly packedMatrices = new Map<string, PackedParameter>();

  constructor() {
    super({});
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

  /**
   * Declares a parameter of this layer; it exists after `build`.
   * @param shape ours, not PyTorch's
   * @param isPackable a matrix that may be packed: the layer asks `packed` for it first
   * @returns reads its current value (not a copy; do not dispose)
   */
  protected parameter<S extends number[]>(
    name: string,
    shape: [...S],
    initial: Initial,
    layout: Layout = { kind: 'same' },
    isPackable = false,
  ): () => tf.Tensor<RankOf<S>> {
    this.declared.push({ name, shape, initial, layout, isPackable, isPacked: false });
    return () => {
      const variable = this.parameters.get(name)?.variable;
      if (variable === undefined) throw new Error(`${this.getClassName()}: parameter "${name}" is read before build()`);
      return variable.read() as tf.Tensor<RankOf<S>>;
    };
  }

  /**
   * Chooses frozen matrices that stay in 16 bits, before `build`: `packedParameters` lists them, `namedParameters` the
   * rest.
   * @param select by hierarchical name and count of numbers, among those that can be packed
   */
  packWeights(select: (name: string, size: number) => boolean, prefix = ''): void {
    if (this.built) throw new Error(`${this.getClassName()}: weights can be packed before build() only`);
    for (const declaration of this.declared) {
      if (!declaration.isPackable) continue;
      declaration.isPacked = select(prefix + declaration.name, tf.util.sizeFromShape(declaration.shape));
    }
    for (const [name, child] of this.children) child.packWeights(select, childPrefix(prefix, name));
  }

  /** A parameter of this layer where it is packed, else null. */
  protected packed(name: string): PackedMatrix | null {
    return this.packedMatrices.get(name)?.matrix ?? null;
  }

  /** Creates the parameters of this layer and its children, of sizes from the config, not the input. */
  override build(inputShape: Shape | Shape[] = []): void {
    if (this.built) return;
    for (const { name, shape, initial, layout, isPacked } of this.declared) {
      if (isPacked) {
        const [first = 0, second = 0] = shape;
        const [rows, columns] = layout.kind === 'linear' ? [second, first] : [first, second];
        this.packedMatrices.set(name, { rows, columns, layout, initial, matrix: PackedMatrix.zeros(rows, columns) });
        continue;
      }
      const value = 'constant' in initial ? initial.constant : 0;
      // Zeros are memory that is not touched until it is written.
      const initializer = value === 0 ? tf.initializers.zeros() : tf.initializers.constant({ value });
      const variable = this.addWeight(name, shape, 'float32', initializer);
      this.parameters.set(name, { variable, layout, initial });
    }
    for (const child of this.children.values()) child.build();
    super.build(inputShape);
  }

  /** Every unpacked parameter below this layer by hierarchical name, in declaration order. */
  namedParameters(prefix = ''): Map<string, Parameter> {
    return this.collect((layer) => layer.parameters, prefix);
  }

  /** This layer ('') and every one below it by hierarchical name, in declaration order. */
  namedLayers(prefix = ''): [string, CompositeLayer][] {
    const below = [...this.children].flatMap(([name, child]) => child.namedLayers(childPrefix(prefix, name)));
    return [[prefix.replace(/\.$/, ''), this], ...below];
  }

  /** Every packed parameter below this layer by hierarchical name, in declaration order. */
  packedParameters(prefix = ''): Map<string, PackedParameter> {
    return this.collect((layer) => layer.packedMatrices, prefix);
  }

  private collect<T>(own: (layer: CompositeLayer) => ReadonlyMap<string, T>, prefix: string): Map<string, T> {
    const all = new Map([...own(this)].map(([name, value]) => [prefix + name, value]));
    for (const [name, child] of this.children) {
      for (const [path, value] of child.collect(own, childPrefix(prefix, name))) all.set(path, value);
    }
    return all;
  }

  /** Draws all random initial values in declaration order; packing changes them only by rounding to BF16. */
  randomize(random: Random): void {
    for (const { name, shape, initial, layout } of this.declared) {
      if (!('deviation' in initial)) continue;
      const drawn = new Float32Array(tf.util.sizeFromShape(shape));
      for (let i = 0; i < drawn.length; i++) drawn[i] = random.normal() * initial.deviation;
      const packed = this.packedMatrices.get(name);
      if (packed === undefined) {
        tf.tidy(() => void this.parameters.get(name)?.variable.write(tf.tensor(drawn, shape)));
        continue;
      }
      const { rows, columns, matrix } = packed;
      const bits = float32ToBfloat16(layout.kind === 'linear' ? transposed(drawn, columns, rows) : drawn);
      matrix.dispose();
      packed.matrix = PackedMatrix.create(bits, 'BF16', rows, columns);
    }
    for (const child of this.children.values()) child.randomize(random);
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
    for (const { matrix } of this.packedMatrices.values()) matrix.dispose();
    this.packedMatrices.clear();
    return { refCountAfterDispose: 0, numDisposedVariables: disposedVariables };
  }
}

/** A composite layer made from a plain configuration, which `getConfig` returns; `call` is `forward` of one tensor. */
export abstract class ConfiguredLayer<Config extends object> extends CompositeLayer {
  /** @param width of the output's last axis; that of the input by default */
  constructor(
    protected readonly config: Config,
    private readonly width: number | null = null,
  ) {
    super();
  }

  abstract forward(...inputs: never[]): unknown;

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor | tf.Tensor[] {
    return tf.tidy(() => this.forward(single(inputs) as never) as tf.Tensor);
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape | Shape[] {
    const shape = (Array.isArray(inputShape[0]) ? inputShape[0] : inputShape) as Shape;
    return this.width === null ? shape : [...shape.slice(0, -1), this.width];
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), ...structuredClone(this.config) };
  }
}

function childPrefix(prefix: string, name: string): string {
  return name === '' ? prefix : `${prefix}${name}.`;
}

/** [rows, columns] → [columns, rows] */
function transposed(values: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++)
      out[column * rows + row] = values[row * columns + column] as number;
  }
  return out;
}

export function single(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
  if (!Array.isArray(inputs)) return inputs;
  const [first] = inputs;
  if (first === undefined || inputs.length !== 1) throw new Error(`expected one input tensor, found ${inputs.length}`);
  return first;
}
