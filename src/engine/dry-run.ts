/**
 * Engine that computes sizes alone: every kernel makes a result of the right size. All other code runs unchanged, so
 * the bytes that TensorFlow.js counts are those of a real run.
 */
import { registerCompositeKernels } from './composite-kernels.js';
import { registerFusedGradients } from './fused-gradients.js';
import { registerPackedKernels } from './packed-kernels.js';
import * as tf from './tf.js';
import { findKernel } from './wasm-heap.js';

/**
 * 'fused': the fused operations are kernels (WASM engines). 'formulas': they consist of others (TensorFlow, WebGPU).
 */
export type DryRunKind = 'fused' | 'formulas';

interface Data {
  readonly size: number;
  readonly dtype: tf.DataType;
  references: number;
}

class DryRunBackend extends tf.KernelBackend {
  private readonly stored = new tf.DataStorage<Data>(this, tf.engine());
  private bytes = 0;
  private mostBytes = 0;

  /** Peak of the bytes in tensors during the work. */
  async peakOf(work: () => Promise<unknown>): Promise<number> {
    this.mostBytes = this.bytes;
    await work();
    return this.mostBytes;
  }

  make(shape: readonly number[], dtype: tf.DataType = 'float32'): tf.TensorInfo {
    return { dataId: this.write(null, [...shape], dtype), shape: [...shape], dtype };
  }

  /** The same numbers under another shape. */
  share(x: tf.TensorInfo, shape: readonly number[]): tf.TensorInfo {
    this.incRef(x.dataId);
    return { dataId: x.dataId, shape: [...shape], dtype: x.dtype };
  }

  override write(_values: tf.backend_util.BackendValues | null, shape: number[], dtype: tf.DataType): tf.DataId {
    const dataId = {};
    this.move(dataId, null, shape, dtype, 1);
    return dataId;
  }

  override move(
    dataId: tf.DataId,
    _values: tf.backend_util.BackendValues | null,
    shape: number[],
    dtype: tf.DataType,
    references: number,
  ): void {
    const size = tf.util.sizeFromShape(shape);
    this.stored.set(dataId, { size, dtype, references });
    this.bytes += size * tf.util.bytesPerElement(dtype);
    this.mostBytes = Math.max(this.mostBytes, this.bytes);
  }

  override readSync(dataId: tf.DataId): tf.backend_util.BackendValues {
    const { size, dtype } = this.stored.get(dataId);
    return dtype === 'float32'
      ? new Float32Array(size)
      : dtype === 'bool'
        ? new Uint8Array(size)
        : new Int32Array(size);
  }

  override read(dataId: tf.DataId): Promise<tf.backend_util.BackendValues> {
    return Promise.resolve(this.readSync(dataId));
  }

  override disposeData(dataId: tf.DataId, force = false): boolean {
    if (!this.stored.has(dataId)) return true;
    const data = this.stored.get(dataId);
    data.references--;
    if (!force && data.references > 0) return false;
    this.stored.delete(dataId);
    this.bytes -= data.size * tf.util.bytesPerElement(data.dtype);
    return true;
  }

  override refCount(dataId: tf.DataId): number {
    return this.stored.has(dataId) ? this.stored.get(dataId).references : 0;
  }

  override incRef(dataId: tf.DataId): void {
    this.stored.get(dataId).references++;
  }

  override numDataIds(): number {
    return this.stored.numDataIds();
  }

  override memory(): { unreliable: boolean } {
    return { unreliable: false };
  }

  override time(work: () => void): Promise<tf.BackendTimingInfo> {
    work();
    return Promise.resolve({ kernelMs: 0 });
  }

  override floatPrecision(): 16 | 32 {
    return 32;
  }

  override epsilon(): number {
    return 1e-7;
  }
}

type Inputs = Readonly<Record<string, tf.TensorInfo>>;
type Rule = (
  inputs: Inputs,
  attrs: Readonly<Record<string, unknown>>,
  backend: DryRunBackend,
) => tf.TensorInfo | tf.TensorInfo[];

/** Results of the shape of the first input. */
const SAME =
  'Abs Cos Elu Erf Exp Expm1 LeakyRelu Log Log1p LogSoftmax Neg OnesLike Reciprocal Relu Relu6 Reverse Rsqrt ' +
  'Sigmoid Sin Softmax Softplus Sqrt Square Step Tanh ZerosLike';
const BROADCAST = ['Add', 'FloorDiv', 'Maximum', 'Minimum', 'Multiply', 'Pow', 'RealDiv', 'SquaredDifference', 'Sub'];
const COMPARISONS = ['Equal', 'Greater', 'GreaterEqual', 'Less', 'LessEqual', 'LogicalAnd', 'LogicalOr', 'NotEqual'];

const RULES: Readonly<Record<string, Rule>> = {
  ...Object.fromEntries(
    SAME.split(' ').map((name): [string, Rule] => [
      name,
      (inputs, _, on) => on.make(first(inputs).shape, first(inputs).dtype),
    ]),
  ),
  ...Object.fromEntries(
    BROADCAST.map((name): [string, Rule] => [name, ({ a, b }, _, on) => on.make(broadcast(a, b), a?.dtype)]),
  ),
  ...Object.fromEntries(
    COMPARISONS.map((name): [string, Rule] => [name, ({ a, b }, _, on) => on.make(broadcast(a, b), 'bool')]),
  ),
  LogicalNot: (inputs, _, on) => on.make(first(inputs).shape, 'bool'),
  Cast: ({ x }, { dtype }, on) => on.make(shapeOf(x), dtype as tf.DataType),
  Identity: ({ x }, _, on) => on.share(present(x), shapeOf(x)),
  Reshape: ({ x }, { shape }, on) =>
    on.share(present(x), tf.util.inferFromImplicitShape(shape as number[], tf.util.sizeFromShape(shapeOf(x)))),
  ExpandDims: ({ input }, { dim }, on) => {
    const shape = shapeOf(input);
    const at = (dim as number) < 0 ? shape.length + 1 + (dim as number) : (dim as number);
    return on.share(present(input), [...shape.slice(0, at), 1, ...shape.slice(at)]);
  },
  Transpose: ({ x }, { perm }, on) =>
    on.make(
      (perm as number[]).map((axis) => shapeOf(x)[axis] ?? 1),
      x?.dtype,
    ),
  Slice: ({ x }, { begin, size }, on) => {
    const [, sizes] = tf.slice_util.parseSliceParams(present(x), begin as number[], size as number[]);
    return on.make(sizes as number[], x?.dtype);
  },
  SplitV: ({ x }, { numOrSizeSplits, axis }, on) => {
    const shape = shapeOf(x);
    const at = tf.util.parseAxisParam(axis as number, shape)[0] ?? 0;
    const sizes = tf.backend_util.prepareSplitSize(present(x), numOrSizeSplits as number[], at);
    return sizes.map((size) =>
      on.make(
        shape.map((length, i) => (i === at ? size : length)),
        x?.dtype,
      ),
    );
  },
  Concat: (inputs, { axis }, on) => {
    const all = Object.values(inputs);
    const at = tf.util.parseAxisParam(axis as number, first(inputs).shape)[0] ?? 0;
    return on.make(
      tf.backend_util.computeOutShape(
        all.map(({ shape }) => shape),
        at,
      ),
      first(inputs).dtype,
    );
  },
  Pack: (inputs, { axis }, on) => {
    const { shape, dtype } = first(inputs);
    const at = axis as number;
    return on.make([...shape.slice(0, at), Object.keys(inputs).length, ...shape.slice(at)], dtype);
  },
  Unpack: ({ value }, { axis }, on) => {
    const shape = shapeOf(value);
    const rest = shape.filter((_, i) => i !== axis);
    return Array.from({ length: shape[axis as number] ?? 0 }, () => on.make(rest, value?.dtype));
  },
  Tile: ({ x }, { reps }, on) =>
    on.make(
      shapeOf(x).map((length, i) => length * ((reps as number[])[i] ?? 1)),
      x?.dtype,
    ),
  PadV2: ({ x }, { paddings }, on) =>
    on.make(
      shapeOf(x).map((length, i) => length + sumOf((paddings as number[][])[i] ?? [])),
      x?.dtype,
    ),
  GatherV2: ({ x, indices }, { axis, batchDims = 0 }, on) => {
    const at = tf.util.parseAxisParam(axis as number, shapeOf(x))[0] ?? 0;
    const places = shapeOf(indices).slice(batchDims as number);
    return on.make([...shapeOf(x).slice(0, at), ...places, ...shapeOf(x).slice(at + 1)], x?.dtype);
  },
  UnsortedSegmentSum: ({ x, segmentIds }, { numSegments }, on) =>
    on.make([numSegments as number, ...shapeOf(x).slice(shapeOf(segmentIds).length)], x?.dtype),
  OneHot: ({ indices }, { depth, dtype }, on) =>
    on.make([...shapeOf(indices), depth as number], (dtype as tf.DataType | undefined) ?? 'int32'),
  Select: ({ t }, _, on) => on.make(shapeOf(t), t?.dtype),
  AddN: (inputs, _, on) => on.make(first(inputs).shape, first(inputs).dtype),
  Fill: (_, { shape, dtype }, on) => on.make(shape as number[], (dtype as tf.DataType | undefined) ?? 'float32'),
  Range: (_, { start, stop, step, dtype }, on) => {
    const length = Math.max(0, Math.ceil(((stop as number) - (start as number)) / (step as number)));
    return on.make([length], dtype as tf.DataType);
  },
  ArgMax: ({ x }, { axis }, on) =>
    on.make(
      shapeOf(x).filter((_, i) => i !== tf.util.parseAxisParam(axis as number, shapeOf(x))[0]),
      'int32',
    ),
  Sum: reduction(),
  Mean: reduction(),
  Max: reduction(),
  Min: reduction(),
  Prod: reduction(),
  BatchMatMul: ({ a, b }, { transposeA, transposeB }, on) => {
    const [left, right] = [shapeOf(a), shapeOf(b)];
    const rows = left.at(transposeA === true ? -1 : -2) ?? 1;
    const columns = right.at(transposeB === true ? -2 : -1) ?? 1;
    return on.make([
      ...tf.broadcast_util.assertAndGetBroadcastShape(left.slice(0, -2), right.slice(0, -2)),
      rows,
      columns,
    ]);
  },
};

/** Kernels whose result has the shape of an input. */
const SHAPE_OF: Readonly<Record<string, string>> = {
  x:
    'GsvaLayerNorm GsvaLayerNormGradX GsvaRmsNorm GsvaRmsNormGradX GsvaGelu GsvaGeluGrad GsvaQuickGelu ' +
    'GsvaQuickGeluGrad GsvaSilu GsvaSiluGrad GsvaRotary',
  gate: 'GsvaSiluMul GsvaSiluMulGradGate',
  scores: 'GsvaMaskedSoftmax',
  y: 'GsvaMaskedSoftmaxGrad',
  logits: 'GsvaSoftmaxCrossEntropyGrad GsvaMaskLossGrad',
};

const lastAxis: Rule = ({ x }, _, on) => on.make(shapeOf(x).slice(-1));

/** The fused operations as kernels: results, and what they keep for the way back. */
const FUSED_RULES: Readonly<Record<string, Rule>> = {
  ...Object.fromEntries(
    Object.entries(SHAPE_OF).flatMap(([input, kernels]) =>
      kernels.split(' ').map((kernel): [string, Rule] => [kernel, (inputs, _, on) => on.make(shapeOf(inputs[input]))]),
    ),
  ),
  GsvaLinear: ({ x, w }, _, on) => on.make([...shapeOf(x).slice(0, -1), shapeOf(w).at(-1) ?? 1]),
  GsvaLinearGradX: ({ dy, w }, _, on) => on.make([...shapeOf(dy).slice(0, -1), shapeOf(w)[0] ?? 1]),
  GsvaLinearGradW: ({ x, dy }, _, on) => on.make([shapeOf(x).at(-1) ?? 1, shapeOf(dy).at(-1) ?? 1]),
  GsvaColumnSum: lastAxis,
  GsvaLayerNormGradGamma: lastAxis,
  GsvaRmsNormGradGamma: lastAxis,
  GsvaSoftmaxCrossEntropy: ({ logits }, _, on) => [on.make([]), on.make(shapeOf(logits).slice(0, 1))],
  GsvaMaskLoss: ({ logits }, _, on) => {
    const [masks = 0] = shapeOf(logits);
    return [on.make([masks]), on.make([masks]), on.make([masks, 2])];
  },
};

/** Runs work and returns the peak of the bytes in tensors. */
export type PeakCounter = (work: () => Promise<unknown>) => Promise<number>;

export async function startDryRun(kind: DryRunKind): Promise<PeakCounter> {
  const name = `dry-run-${kind}`;
  if (tf.engine().registryFactory[name] === undefined) {
    tf.registerBackend(name, () => new DryRunBackend());
    const rules = kind === 'fused' ? { ...RULES, ...FUSED_RULES } : RULES;
    for (const [kernelName, rule] of Object.entries(rules)) register(kernelName, name, rule);
    if (kind === 'fused') registerFusedGradients();
    else registerCompositeKernels(name);
    // Only a block is widened at a time, small next to a layer's own tensors.
    registerPackedKernels<DryRunBackend>(name, {
      multiply: (on, x, { rows }) => on.make([...x.shape.slice(0, -1), rows]),
      multiplyBack: (on, dy, { columns }) => on.make([...dy.shape.slice(0, -1), columns]),
      gather: (on, ids, { columns }) => on.make([...ids.shape, columns]),
    });
  }
  await tf.setBackend(name);
  const backend: unknown = tf.backend();
  if (!(backend instanceof DryRunBackend)) throw new Error('startDryRun: the backend is another');
  return (work) => backend.peakOf(work);
}

function register(kernelName: string, backendName: string, rule: Rule): void {
  if (findKernel(kernelName, backendName) !== undefined) return;
  tf.registerKernel({
    kernelName,
    backendName,
    kernelFunc: ({ inputs, attrs, backend }) => {
      const dryRun = backend as unknown;
      if (!(dryRun instanceof DryRunBackend)) throw new Error(`dry run: ${kernelName} was called on another backend`);
      return rule(inputs as unknown as Inputs, attrs as Readonly<Record<string, unknown>>, dryRun);
    },
  });
}

function reduction(): Rule {
  return ({ x }, { axis, reductionIndices, keepDims }, on) => {
    const shape = shapeOf(x);
    // Max names its axes otherwise.
    const axes = tf.util.parseAxisParam((axis ?? reductionIndices) as number[], shape);
    const [kept] = tf.backend_util.computeOutAndReduceShapes(shape, axes);
    return on.make(keepDims === true ? tf.backend_util.expandShapeToKeepDim(kept, axes) : kept, x?.dtype);
  };
}

function present(tensor: tf.TensorInfo | undefined): tf.TensorInfo {
  if (tensor === undefined) throw new Error('dry run: a kernel was called without one of its inputs');
  return tensor;
}

function first(inputs: Inputs): tf.TensorInfo {
  return present(Object.values(inputs)[0]);
}

function shapeOf(tensor: tf.TensorInfo | undefined): number[] {
  return present(tensor).shape;
}

function broadcast(a: tf.TensorInfo | undefined, b: tf.TensorInfo | undefined): number[] {
  return tf.broadcast_util.assertAndGetBroadcastShape(shapeOf(a), shapeOf(b));
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
