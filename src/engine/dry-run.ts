/**
 * Engine that computes sizes alone: every kernel makes a result of the right size. All other code runs unchanged, so
 * the bytes that TensorFlow.js counts are those of a real run.
 */
import { registerCompositeKernels } from './composite-kernels.js';
import { registerFusedGradients } from './fused-gradients.js';
import { registerPackedKernels } from './packed-kernels.js';
import * as tf from './tf.js';
import { findKernel } from './wasm-heap.js';

/** 'fused': the fused operations are kernels (WASM engines). 'formulas': they consist of others (TensorFlow, WebGPU). */
export type DryRunKind = 'fused' | 'formulas';

class DryRunBackend extends tf.KernelBackend {
  private readonly stored = new tf.DataStorage<{ size: number; dtype: tf.DataType; references: number }>(
    this,
    tf.engine(),
  );
  private bytes = 0;
  private mostBytes = 0;
  private products = 0;

  /** Peak of the bytes in tensors during the work. */
  async peakOf(work: () => Promise<unknown>): Promise<number> {
    this.mostBytes = this.bytes;
    await work();
    return this.mostBytes;
  }

  /** Additions and multiplications of matrix products during the work; all else is small next to them. */
  async flopsOf(work: () => Promise<unknown>): Promise<number> {
    this.products = 0;
    await work();
    return 2 * this.products;
  }

  /** A matrix product of that shape, each number of which is a sum of `length` products. */
  product(shape: readonly number[], length: number): tf.TensorInfo {
    this.products += tf.util.sizeFromShape([...shape]) * length;
    return this.make(shape);
  }

  make(shape: readonly number[], dtype: tf.DataType = 'float32'): tf.TensorInfo {
    return { dataId: this.write(null, [...shape], dtype), shape: [...shape], dtype };
  }

  /** The same numbers under another shape. */
  share(x: tf.TensorInfo, shape: readonly number[]): tf.TensorInfo {
    this.incRef(x.dataId);
    return { dataId: x.dataId, shape: [...shape], dtype: x.dtype };
  }

  override write(values: unknown, shape: number[], dtype: tf.DataType): tf.DataId {
    const dataId = {};
    this.move(dataId, values, shape, dtype, 1);
    return dataId;
  }

  override move(dataId: tf.DataId, _: unknown, shape: number[], dtype: tf.DataType, references: number): void {
    const size = tf.util.sizeFromShape(shape);
    this.stored.set(dataId, { size, dtype, references });
    this.bytes += size * tf.util.bytesPerElement(dtype);
    this.mostBytes = Math.max(this.mostBytes, this.bytes);
  }

  override readSync(dataId: tf.DataId): tf.backend_util.BackendValues {
    const { size, dtype } = this.stored.get(dataId);
    if (dtype === 'float32') return new Float32Array(size);
    return dtype === 'bool' ? new Uint8Array(size) : new Int32Array(size);
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

  /** `tf.profile` asks for it. */
  override time(work: () => void): Promise<tf.BackendTimingInfo> {
    work();
    return Promise.resolve({ kernelMs: 0 });
  }

  override floatPrecision(): 16 | 32 {
    return 32;
  }
}

/** Inputs and attributes by tfjs's names; each kernel is given those of its own. */
type InputName = 'x' | 'a' | 'b' | 'dy' | 'indices' | 'input' | 'logits' | 'segmentIds' | 't' | 'value' | 'w';
type Inputs = Readonly<Record<InputName, tf.TensorInfo>>;
type Numbers = 'axis' | 'batchDims' | 'depth' | 'dim' | 'numSegments' | 'start' | 'stop' | 'step';
type Lists = 'begin' | 'numOrSizeSplits' | 'perm' | 'reductionIndices' | 'reps' | 'shape' | 'size';
type Attributes = Readonly<Record<Numbers, number>> &
  Readonly<Record<Lists, number[]>> &
  Readonly<Record<'keepDims' | 'transposeA' | 'transposeB', boolean>> & {
    readonly dtype: tf.DataType | undefined;
    readonly paddings: readonly (readonly [number, number])[];
  };
type Rule = (inputs: Inputs, attrs: Attributes, on: DryRunBackend) => tf.TensorInfo | tf.TensorInfo[];

/** The same rule for several kernels. */
function each(kernels: string, rule: Rule): Record<string, Rule> {
  return Object.fromEntries(kernels.split(' ').map((kernel) => [kernel, rule]));
}

/** The rule of a result like the first input but for its shape. */
function shaped(shapeOf: (shape: number[], attrs: Attributes) => number[]): Rule {
  return (inputs, attrs, on) => {
    const { shape, dtype } = first(inputs);
    return on.make(shapeOf(shape, attrs), dtype);
  };
}

function reduction(axesName: 'axis' | 'reductionIndices'): Rule {
  return shaped((shape, attrs) => {
    const axes = tf.util.parseAxisParam(attrs[axesName], shape);
    const [kept] = tf.backend_util.computeOutAndReduceShapes(shape, axes);
    return attrs.keepDims ? tf.backend_util.expandShapeToKeepDim(kept, axes) : kept;
  });
}

const RULES: Readonly<Record<string, Rule>> = {
  ...each(
    'Abs AddN Cos Elu Erf Exp Expm1 LeakyRelu Log Log1p LogSoftmax Neg OnesLike Reciprocal Relu Relu6 Reverse Rsqrt ' +
      'Sigmoid Sin Softmax Softplus Sqrt Square Step Tanh ZerosLike',
    shaped((shape) => shape),
  ),
  ...each('Add FloorDiv Maximum Minimum Multiply Pow RealDiv SquaredDifference Sub', ({ a, b }, _, on) =>
    on.make(broadcast(a.shape, b.shape), a.dtype),
  ),
  ...each('Equal Greater GreaterEqual Less LessEqual LogicalAnd LogicalOr NotEqual', ({ a, b }, _, on) =>
    on.make(broadcast(a.shape, b.shape), 'bool'),
  ),
  ...each('Sum Mean Min Prod', reduction('axis')),
  Max: reduction('reductionIndices'),
  LogicalNot: (inputs, _, on) => on.make(first(inputs).shape, 'bool'),
  Cast: ({ x }, { dtype }, on) => on.make(x.shape, dtype),
  Identity: ({ x }, _, on) => on.share(x, x.shape),
  Reshape: ({ x }, { shape }, on) => on.share(x, tf.util.inferFromImplicitShape(shape, tf.util.sizeFromShape(x.shape))),
  ExpandDims: ({ input }, { dim }, on) =>
    on.share(input, input.shape.toSpliced(dim < 0 ? input.shape.length + 1 + dim : dim, 0, 1)),
  Transpose: shaped((shape, { perm }) => perm.map((axis) => shape[axis] ?? 1)),
  Slice: ({ x }, { begin, size }, on) => {
    const [, sizes] = tf.slice_util.parseSliceParams(x, begin, size);
    return on.make(sizes as number[], x.dtype);
  },
  SplitV: ({ x }, { numOrSizeSplits, axis }, on) => {
    const at = axisOf(axis, x.shape);
    const sizes = tf.backend_util.prepareSplitSize(x, numOrSizeSplits, at);
    return sizes.map((size) => on.make(x.shape.with(at, size), x.dtype));
  },
  Concat: (inputs, { axis }, on) => {
    const shapes = Object.values(inputs).map(({ shape }) => shape);
    const { shape, dtype } = first(inputs);
    return on.make(tf.backend_util.computeOutShape(shapes, axisOf(axis, shape)), dtype);
  },
  Pack: (inputs, { axis }, on) => {
    const { shape, dtype } = first(inputs);
    return on.make(shape.toSpliced(axis, 0, Object.keys(inputs).length), dtype);
  },
  Unpack: ({ value: { shape, dtype } }, { axis }, on) =>
    Array.from({ length: shape[axis] ?? 0 }, () => on.make(shape.toSpliced(axis, 1), dtype)),
  Tile: shaped((shape, { reps }) => shape.map((length, i) => length * (reps[i] ?? 1))),
  PadV2: shaped((shape, { paddings }) =>
    shape.map((length, i) => {
      const [before, behind] = paddings[i] ?? [0, 0];
      return before + length + behind;
    }),
  ),
  GatherV2: ({ x, indices }, { axis, batchDims }, on) =>
    on.make(x.shape.toSpliced(axisOf(axis, x.shape), 1, ...indices.shape.slice(batchDims)), x.dtype),
  UnsortedSegmentSum: ({ x, segmentIds }, { numSegments }, on) =>
    on.make([numSegments, ...x.shape.slice(segmentIds.shape.length)], x.dtype),
  OneHot: ({ indices }, { depth, dtype = 'int32' }, on) => on.make([...indices.shape, depth], dtype),
  Select: ({ t }, _, on) => on.make(t.shape, t.dtype),
  Fill: (_, { shape, dtype }, on) => on.make(shape, dtype),
  Range: (_, { start, stop, step, dtype }, on) => on.make([Math.max(0, Math.ceil((stop - start) / step))], dtype),
  ArgMax: ({ x }, { axis }, on) => on.make(x.shape.toSpliced(axisOf(axis, x.shape), 1), 'int32'),
  BatchMatMul: ({ a, b }, { transposeA, transposeB }, on) => {
    const [rows = 1, columns = 1] = [a.shape.at(transposeA ? -1 : -2), b.shape.at(transposeB ? -2 : -1)];
    const length = a.shape.at(transposeA ? -2 : -1) ?? 1;
    return on.product([...broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2)), rows, columns], length);
  },
};

/** The fused operations as kernels: results, and what they keep for the way back. */
const FUSED_RULES: Readonly<Record<string, Rule>> = {
  ...each(
    'GsvaLayerNorm GsvaLayerNormGradX GsvaRmsNorm GsvaRmsNormGradX GsvaGelu GsvaGeluGrad GsvaQuickGelu ' +
      'GsvaQuickGeluGrad GsvaSilu GsvaSiluGrad GsvaRotary',
    ({ x }, _, on) => on.make(x.shape),
  ),
  ...each(
    'GsvaSiluMul GsvaSiluMulGradGate GsvaMaskedSoftmax GsvaMaskedSoftmaxGrad',
    shaped((shape) => shape),
  ),
  ...each('GsvaSoftmaxCrossEntropyGrad GsvaMaskLossGrad', ({ logits }, _, on) => on.make(logits.shape)),
  ...each('GsvaColumnSum GsvaLayerNormGradGamma GsvaRmsNormGradGamma', ({ x }, _, on) => on.make(x.shape.slice(-1))),
  GsvaLinear: ({ x, w }, _, on) => on.product([...x.shape.slice(0, -1), w.shape[1] ?? 1], w.shape[0] ?? 1),
  GsvaLinearGradX: ({ dy, w }, _, on) => on.product([...dy.shape.slice(0, -1), w.shape[0] ?? 1], w.shape[1] ?? 1),
  GsvaLinearGradW: ({ x, dy }, _, on) => {
    const rows = tf.util.sizeFromShape(x.shape.slice(0, -1));
    return on.product([...x.shape.slice(-1), ...dy.shape.slice(-1)], rows);
  },
  GsvaSoftmaxCrossEntropy: ({ logits }, _, on) => [on.make([]), on.make(logits.shape.slice(0, 1))],
  GsvaMaskLoss: ({ logits: { shape } }, _, on) => {
    const [masks = 0] = shape;
    return [on.make([masks]), on.make([masks]), on.make([masks, 2])];
  },
};

/** Runs work and returns the peak of the bytes in tensors. */
export type PeakCounter = (work: () => Promise<unknown>) => Promise<number>;

/** Additions and multiplications of matrix products during work, on the dry run that was started. */
export async function countFlops(work: () => Promise<unknown>): Promise<number> {
  const backend: unknown = tf.backend();
  if (!(backend instanceof DryRunBackend)) throw new Error('countFlops: no dry run was started');
  return backend.flopsOf(work);
}

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
      multiply: (on, x, { rows, columns }) => on.product([...x.shape.slice(0, -1), rows], columns),
      multiplyBack: (on, dy, { rows, columns }) => on.product([...dy.shape.slice(0, -1), columns], rows),
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
      const dryRun: unknown = backend;
      if (!(dryRun instanceof DryRunBackend)) throw new Error(`dry run: ${kernelName} was called on another backend`);
      return rule(inputs as unknown as Inputs, attrs as unknown as Attributes, dryRun);
    },
  });
}

function first(inputs: Inputs): tf.TensorInfo {
  const [tensor] = Object.values(inputs);
  if (tensor === undefined) throw new Error('dry run: a kernel was called without inputs');
  return tensor;
}

/** An axis from the front. */
function axisOf(axis: number, shape: number[]): number {
  return tf.util.parseAxisParam(axis, shape)[0] ?? 0;
}

function broadcast(a: number[], b: number[]): number[] {
  return tf.broadcast_util.assertAndGetBroadcastShape(a, b);
}
