/**
 * Checkpoints of torch.save (.bin, .pth, .pt): a zip file with a pickle that describes the tensors and one entry per
 * storage of numbers. Opening reads the description alone; the interpreter of the pickle accepts tensors and plain
 * containers only (pickle.ts).
 */
import { type ByteSource, type Opener, fileOpener, readPart } from '../byte-source.js';
import { HEAD_BYTES, describeFileKind } from '../file-kind.js';
import { cannotRead, type FileTensor, numbersIn, type TensorData } from '../file-tensor.js';
import { type PickleValue, unpickle } from './pickle.js';
import { harmlessGlobal } from './pickle-harmless.js';
import { DTYPE_BYTES, type Fail, isRead, notRead, type ReadDtype } from '../safetensors/safetensors-header.js';
import { findStateDict } from '../state-dict.js';
import { readStrided } from './strided.js';
import { LARGEST_PICKLE, isLegacyCheckpoint, readLegacyCheckpoint } from './torch-legacy.js';
import { TORCH_GLOBALS, type TorchStorage, type TorchTensor, storageLoader } from './torch-tensors.js';
import { type ZipEntry, readZipDirectory, storedOffset } from './zip-directory.js';

/** Content of a file, no tensor of it read yet. */
export interface TorchCheckpoint {
  readonly tensors: Map<string, FileTensor>;
  /** Entries other than tensors, as unpickled; those of a wrapped state dict are named 'wrapper.name'. */
  readonly others: Map<string, unknown>;
  /** The key of the tensors, where the file wraps them: 'state_dict', 'ema.model'. */
  readonly wrapper: string | null;
}

const FORMAT = 'a PyTorch checkpoint';

/** The pickled object, and the positions of its storages. */
interface Content {
  readonly value: PickleValue;
  locate(source: ByteSource, storage: TorchStorage, fail: Fail): number;
}

/**
 * Opens a file: its description is read and checked, its tensors are read on demand.
 * @throws UserError that names the file and what is wrong or refused in it
 */
export function openTorchCheckpoint(path: string): TorchCheckpoint {
  return readTorchCheckpoint(path, fileOpener(path, FORMAT));
}

/** As openTorchCheckpoint, for any bytes; `name` stands for them in errors. */
export function readTorchCheckpoint(name: string, open: Opener): TorchCheckpoint {
  const fail = cannotRead(name, FORMAT);
  const content = open((source) => readContent(source, name, fail));
  const { entries, others, wrapper } = findStateDict(content.value, fail);
  const tensors = new Map<string, FileTensor>();
  for (const [key, tensor] of entries) {
    const { dtype, shape } = tensor;
    const wrong: Fail = (what) => fail(`tensor ${JSON.stringify(key.slice(0, 120))}: ${what}`);
    tensors.set(key, {
      dtype,
      shape,
      source: name,
      read: () => open((source) => readTensor(source, content, tensor, wrong)),
    });
  }
  return { tensors, others, wrapper };
}

function readContent(source: ByteSource, name: string, fail: Fail): Content {
  const head = readPart(source, 0, Math.min(HEAD_BYTES, source.size));
  if (head.toString('latin1', 0, 4) === 'PK\x03\x04') return readZip(source, name, fail);
  if (!isLegacyCheckpoint(head)) return fail(describeFileKind(head));
  const { value, positions } = readLegacyCheckpoint(source, name, fail);
  return { value, locate: (_source, storage) => positions.get(storage.key) as number };
}

function readZip(source: ByteSource, name: string, fail: Fail): Content {
  const directory = readZipDirectory(source, fail);
  const prefix = findPrefix(directory, fail);
  const order = readSmall(source, directory.get(`${prefix}byteorder`), fail);
  if (order !== null && order !== 'little') {
    fail(`its numbers are ${JSON.stringify(order)}-endian; save it again on a little-endian machine`);
  }
  const pickle = directory.get(`${prefix}data.pkl`) as ZipEntry;
  if (pickle.size > LARGEST_PICKLE) fail(`its data.pkl has ${pickle.size} bytes, at most ${LARGEST_PICKLE} are read`);
  const bytes = readPart(source, storedOffset(source, pickle, fail), pickle.size);
  const storages = new Map<string, TorchStorage>();
  const persistentLoad = storageLoader(storages);
  const { value } = unpickle(bytes, {
    source: `${name} (data.pkl)`,
    globals: TORCH_GLOBALS,
    unlisted: harmlessGlobal,
    persistentLoad,
  });

  const entryOf = (key: string): ZipEntry | undefined => directory.get(`${prefix}data/${key}`);
  for (const { key, length } of storages.values()) {
    const entry = entryOf(key);
    if (entry?.size !== length) {
      fail(`its storage ${JSON.stringify(key.slice(0, 60))} has ${entry?.size ?? 'no'} bytes, expected ${length}`);
    }
  }
  return {
    value,
    locate: (again, { key }, wrong) => storedOffset(again, entryOf(key) as ZipEntry, wrong),
  };
}

/** The folder of the archive, named after the saved file. */
function findPrefix(directory: ReadonlyMap<string, ZipEntry>, fail: Fail): string {
  const found = [...directory.keys()].filter((name) => /^(?:[^/]*\/)?data\.pkl$/.test(name));
  const [first] = found;
  if (first === undefined || found.length > 1) {
    return fail(`it is a zip file with ${found.length} entries data.pkl, expected one; torch.save did not write it`);
  }
  const prefix = first.slice(0, -'data.pkl'.length);
  if (directory.has(`${prefix}constants.pkl`)) {
    fail('it is a TorchScript program; load it with torch.jit.load and save its state_dict() with torch.save');
  }
  return prefix;
}

function readSmall(source: ByteSource, entry: ZipEntry | undefined, fail: Fail): string | null {
  if (entry === undefined) return null;
  return readPart(source, storedOffset(source, entry, fail), Math.min(entry.size, 16)).toString('latin1');
}

function readTensor(source: ByteSource, content: Content, tensor: TorchTensor, fail: Fail): TensorData {
  const { storage, dtype, shape, strides, offset } = tensor;
  if (!isRead(dtype)) return fail(notRead(dtype));
  const position = content.locate(source, storage, fail) + storage.begin;
  const { buffer } = readStrided(source, position, { shape, strides, offset }, DTYPE_BYTES[dtype]);
  const data = numbersIn(buffer, dtype, fail);
  if (tensor.isNegative) negate(data, dtype);
  return data;
}

/** Changes the sign of every number, in place; of 16-bit floats by their highest bit. */
function negate(data: TensorData, dtype: ReadDtype): void {
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    for (let i = 0; i < data.length; i++) data[i] = -(data[i] as bigint);
  } else if (dtype === 'F16' || dtype === 'BF16') {
    for (let i = 0; i < data.length; i++) data[i] = (data[i] as number) ^ 0x8000;
  } else {
    for (let i = 0; i < data.length; i++) data[i] = -(data[i] as number);
  }
}
