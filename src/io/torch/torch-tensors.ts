/**
 * Objects of a PyTorch checkpoint: storages outside of the pickle, tensors as views of them, and the functions that
 * torch.save names to put them together (torch/_utils.py).
 */
import { DTYPE_BYTES, type Dtype, type Fail } from '../safetensors/safetensors-header.js';
import {
  PLAIN_GLOBALS,
  type PickleContext,
  PickleGlobal,
  PickleObject,
  PickleTuple,
  type PickleValue,
  describePickled,
} from './pickle.js';
import { checkView } from './strided.js';

/** PyTorch's names: of the type, torch.float64, and of the class of its storages, DoubleStorage, where it has one. */
export const TORCH_TYPES: Readonly<Partial<Record<Dtype, readonly [dtype: string, storage?: string]>>> = {
  F64: ['float64', 'DoubleStorage'],
  F32: ['float32', 'FloatStorage'],
  F16: ['float16', 'HalfStorage'],
  BF16: ['bfloat16', 'BFloat16Storage'],
  I64: ['int64', 'LongStorage'],
  U64: ['uint64'],
  I32: ['int32', 'IntStorage'],
  U32: ['uint32'],
  I16: ['int16', 'ShortStorage'],
  U16: ['uint16'],
  I8: ['int8', 'CharStorage'],
  U8: ['uint8', 'ByteStorage'],
  BOOL: ['bool', 'BoolStorage'],
  C64: ['complex64', 'ComplexFloatStorage'],
  C128: ['complex128', 'ComplexDoubleStorage'],
  QI8: ['qint8', 'QInt8Storage'],
  QU8: ['quint8', 'QUInt8Storage'],
  QI32: ['qint32', 'QInt32Storage'],
  F8_E4M3: ['float8_e4m3fn'],
  F8_E4M3FNUZ: ['float8_e4m3fnuz'],
  F8_E5M2: ['float8_e5m2'],
  F8_E5M2FNUZ: ['float8_e5m2fnuz'],
  F8_E8M0: ['float8_e8m0fnu'],
  // Two numbers in a byte, which the shape does not count: [4, 8] here is [4, 16] in safetensors.
  F4: ['float4_e2m1fn_x2'],
};

/** PyTorch's own limit of dimensions. */
const MOST_DIMENSIONS = 64;
const BYTES_PER_NUMBER = 16;

/** A type of storage or of tensor: torch.FloatStorage, torch.float32; null for bytes of no type. */
class TorchType extends PickleGlobal {
  override readonly kind: string = 'type';

  constructor(
    name: string,
    readonly use: 'storage' | 'dtype',
    readonly dtype: Dtype | null,
  ) {
    super(name, null);
  }
}

/** Bytes [begin, begin + length) of the file's data under `key`. */
export class TorchStorage extends PickleObject {
  readonly kind = 'storage';

  constructor(
    readonly key: string,
    /** Null for bytes of no type. */
    readonly dtype: Dtype | null,
    readonly begin: number,
    readonly length: number,
  ) {
    super();
  }
}

/** A checked view of a storage, counted in elements. */
export class TorchTensor extends PickleObject {
  readonly kind = 'tensor';

  constructor(
    readonly storage: TorchStorage,
    readonly dtype: Dtype,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
    readonly offset: number,
    /** PyTorch's negative bit: the numbers are those of the storage with the other sign. */
    readonly isNegative = false,
  ) {
    super();
  }
}

/** Classes of tensors whose numbers mean nothing else. */
const PLAIN_TENSOR_TYPES = ['torch Tensor', 'torch.nn.parameter Parameter', 'torch.nn.parameter Buffer'];

/** Names that the pickles of checkpoints may use. */
export const TORCH_GLOBALS: ReadonlyMap<string, PickleGlobal> = new Map<string, PickleGlobal>([
  ...PLAIN_GLOBALS,
  ...[
    ...Object.entries(TORCH_TYPES).flatMap(([key, [dtype, storage]]) => [
      new TorchType(`torch ${dtype}`, 'dtype', key as Dtype),
      ...(storage === undefined ? [] : [new TorchType(`torch ${storage}`, 'storage', key as Dtype)]),
    ]),
    new TorchType('torch UntypedStorage', 'storage', null),
    new TorchType('torch.storage UntypedStorage', 'storage', null),
    new PickleGlobal('torch Size', ([sizes], context) =>
      sizes instanceof PickleTuple ? sizes : context.fail('a torch.Size is not made of a tuple'),
    ),
    new PickleGlobal('torch._utils _rebuild_tensor', (args, context) => rebuildTensor(args, 4, context)),
    new PickleGlobal('torch._utils _rebuild_tensor_v2', (args, context) => rebuildTensor(args, 6, context)),
    new PickleGlobal('torch._utils _rebuild_tensor_v3', (args, context) => rebuildTensor(args, 7, context)),
    new PickleGlobal('torch._utils _rebuild_parameter', rebuildParameter),
    new PickleGlobal('torch._utils _rebuild_parameter_with_state', rebuildParameter),
    // (storage, offset, size, stride, scale, …): listed, and not read.
    new PickleGlobal('torch._utils _rebuild_qtensor', (args, context) =>
      rebuildTensor([...args.slice(0, 4), false, new Map()], 6, context),
    ),
    new PickleGlobal('torch._tensor _rebuild_from_type_v2', rebuildFromType),
    new PickleGlobal('torch._tensor _rebuild_from_type', rebuildFromType),
    ...PLAIN_TENSOR_TYPES.map((name) => new PickleGlobal(name, null)),
  ].map((global): [string, PickleGlobal] => [global.name, global]),
]);

/** _rebuild_from_type_v2(function, type, args, attributes): the function's result; the attributes are dropped. */
function rebuildFromType(args: readonly PickleValue[], context: PickleContext): PickleValue {
  const [rebuild, type, inner] = args;
  if (!(type instanceof PickleGlobal) || !PLAIN_TENSOR_TYPES.includes(type.name)) {
    const name = type instanceof PickleGlobal ? type.name.replace(' ', '.') : describePickled(type ?? null);
    return context.fail(
      `a tensor of it is of the class ${name}, whose numbers mean something else; save it as plain tensor`,
    );
  }
  if (!(rebuild instanceof PickleGlobal) || rebuild.call === null || !(inner instanceof PickleTuple)) {
    return context.fail('a tensor with attributes is not made of a tensor');
  }
  return rebuild.call(inner.items, context);
}

/** _rebuild_parameter(data, requires_grad, backward_hooks[, attributes]): the tensor itself. */
function rebuildParameter(args: readonly PickleValue[], context: PickleContext): PickleValue {
  const [tensor] = args;
  return tensor instanceof TorchTensor ? tensor : context.fail('a parameter is not made of a tensor');
}

/** (storage, offset, size, stride[, requires_grad, backward_hooks[, dtype]]), and in v2 and v3 metadata at the end. */
function rebuildTensor(args: readonly PickleValue[], count: 4 | 6 | 7, context: PickleContext): TorchTensor {
  const [storage, offset, size, stride] = args;
  const fail = (what: string): never => context.fail(`a tensor of it is wrong: ${what}`);
  if (!(storage instanceof TorchStorage)) return fail(`it is made of ${describePickled(storage ?? null)}`);
  if (args.length < count || args.length > count + 1) fail(`it is made of ${args.length} values, expected ${count}`);
  const type = count === 7 ? args[6] : null;
  const dtype = type instanceof TorchType && type.use === 'dtype' ? type.dtype : storage.dtype;
  if (dtype === null) return fail('it has no type');
  const shape = counts(size, context, fail);
  const strides = counts(stride, context, fail);
  if (typeof offset !== 'number') return fail('its offset is not a number');
  checkView({ shape, strides, offset }, Math.floor(storage.length / elementBytes(dtype)), fail);
  // In v2 and v3 the last argument: {'neg': True} and, of complex numbers, {'conj': True}.
  const metadata = args.length > count ? args[count] : null;
  const isNegative = metadata instanceof Map && metadata.get('neg') === true;
  return new TorchTensor(storage, dtype, shape, strides, offset, isNegative);
}

/** Bytes of an element as PyTorch counts them: two numbers of four bits are one. */
function elementBytes(dtype: Dtype): number {
  return Math.ceil(DTYPE_BYTES[dtype]);
}

function counts(value: PickleValue | undefined, context: PickleContext, fail: Fail): number[] {
  const items = value instanceof PickleTuple ? value.items : value;
  if (!Array.isArray(items)) return fail('its sizes or strides are not a tuple');
  if (items.length > MOST_DIMENSIONS) fail(`it has ${items.length} dimensions, at most ${MOST_DIMENSIONS} are read`);
  context.spend(BYTES_PER_NUMBER * items.length);
  return items.map((item: PickleValue) => (typeof item === 'number' ? item : fail('a size or stride is not a number')));
}

/**
 * Resolver of a checkpoint's persistent ids: ('storage', type, key, device, number of elements[, view]), where view is
 * (its key, offset, number of elements). @param storages is filled with the type and length of each key
 */
export function storageLoader(
  storages: Map<string, TorchStorage>,
): (id: PickleValue, context: PickleContext) => PickleValue {
  return (id, context) => {
    const items = id instanceof PickleTuple ? id.items : [];
    const [tag, type, key, , numel, view] = items;
    if (tag === 'storage' && type instanceof PickleGlobal && !(type instanceof TorchType)) {
      return context.fail(`it refuses ${type.name.replace(' ', '.')}: numbers of that kind are not read`);
    }
    if (tag !== 'storage' || !(type instanceof TorchType) || type.use !== 'storage' || typeof key !== 'string') {
      return context.fail('it refers to something outside of itself that is not a storage of numbers');
    }
    const width = type.dtype === null ? 1 : elementBytes(type.dtype);
    const length = isCount(numel) ? numel * width : NaN;
    if (!Number.isSafeInteger(length)) return context.fail('a storage has a length that is not a count');
    const whole = storages.get(key) ?? new TorchStorage(key, type.dtype, 0, length);
    if (whole.length !== length || whole.dtype !== type.dtype) {
      return context.fail('a storage is described in two ways that differ');
    }
    storages.set(key, whole);
    return view === undefined || view === null ? whole : viewOf(whole, view, width, context);
  };
}

function viewOf(whole: TorchStorage, view: PickleValue, width: number, context: PickleContext): TorchStorage {
  const [, offset, numel] = view instanceof PickleTuple ? view.items : [];
  if (!isCount(offset) || !isCount(numel) || (offset + numel) * width > whole.length) {
    return context.fail('a view of a storage reaches beyond it');
  }
  return new TorchStorage(whole.key, whole.dtype, offset * width, numel * width);
}

function isCount(value: PickleValue | undefined): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
