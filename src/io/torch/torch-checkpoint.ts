/**
 * Checkpoints of torch.save (.bin, .pth, .pt): a zip file with a pickle that describes the tensors and one entry per
 * storage of numbers. Opening reads the description alone; the interpreter of the pickle accepts tensors and plain
 * containers only (pickle.ts).
 */
import { type ByteSource, type Opener, cannotRead, fileOpener, readPart } from '../byte-source.js';
import { HEAD_BYTES, describeFileKind } from '../file-kind.js';
import { type FileTensor, numbersIn, type TensorData } from '../file-tensor.js';
import { type PickleValue, unpickle } from './pickle.js';
import { harmlessGlobal } from './pickle-harmless.js';
import { DTYPE_BYTES, type Fail, isRead, notRead, type ReadDtype } from '../safetensors/safetensors-header.js';
import { type StateDict, findStateDict } from '../state-dict.js';
import { readStrided } from './strided.js';
import { TORCH_GLOBALS, type TorchStorage, type TorchTensor, storageLoader } from './torch-tensors.js';
import { type ZipEntry, readZipDirectory, storedOffset } from './zip-directory.js';

/** Content of a file, no tensor of it read yet. */
export interface TorchCheckpoint extends Pick<StateDict, 'others' | 'wrapper'> {
  readonly tensors: Map<string, FileTensor>;
}

const FORMAT = 'a PyTorch checkpoint';
const LARGEST_PICKLE = 64 * 2 ** 20;

const MAGIC = Buffer.from('6cfc9c46f9206aa85019', 'hex');
const PROTOCOL = 1001;
/** The magic number lies within the first bytes, whatever the pickle's protocol. */
const MAGIC_WITHIN = 32;

/** The pickled object, and the positions of its storages. */
interface Content {
  readonly value: PickleValue;
  locate(source: ByteSource, storage: TorchStorage, fail: Fail): number;
}

/**
 * Opens a file: its description is read and checked, its tensors are read on demand.
 * @param open other bytes than the file's, for which `name` stands in errors
 * @throws UserError that names the file and what is wrong or refused in it
 */
export function openTorchCheckpoint(name: string, open: Opener = fileOpener(name, FORMAT)): TorchCheckpoint {
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
  const isLegacy = head[0] === 0x80 && head.subarray(0, MAGIC_WITHIN).includes(MAGIC);
  return isLegacy ? readLegacy(source, name, fail) : fail(describeFileKind(head));
}

function readZip(source: ByteSource, name: string, fail: Fail): Content {
  const directory = readZipDirectory(source, fail);
  const prefix = findPrefix(directory, fail);
  const order = directory.get(`${prefix}byteorder`);
  if (order !== undefined) {
    const endian = readPart(source, storedOffset(source, order, fail), Math.min(order.size, 16)).toString('latin1');
    if (endian !== 'little')
      fail(`its numbers are ${JSON.stringify(endian)}-endian; save it again on a little-endian machine`);
  }
  const pickle = directory.get(`${prefix}data.pkl`) as ZipEntry;
  if (pickle.size > LARGEST_PICKLE) fail(`its data.pkl has ${pickle.size} bytes, at most ${LARGEST_PICKLE} are read`);
  const bytes = readPart(source, storedOffset(source, pickle, fail), pickle.size);
  const storages = new Map<string, TorchStorage>();
  const { value } = unpickled(bytes, `${name} (data.pkl)`, storages);
  const entryOf = (key: string): ZipEntry | undefined => directory.get(`${prefix}data/${key}`);
  for (const { key, length } of storages.values()) {
    const entry = entryOf(key);
    if (entry?.size !== length) {
      fail(`its storage ${JSON.stringify(key.slice(0, 60))} has ${entry?.size ?? 'no'} bytes, expected ${length}`);
    }
  }
  return { value, locate: (again, { key }, wrong) => storedOffset(again, entryOf(key) as ZipEntry, wrong) };
}

/** @param storages is filled with those that the pickle names */
function unpickled(bytes: Buffer, source: string, storages: Map<string, TorchStorage>, start = 0) {
  const persistentLoad = storageLoader(storages);
  return unpickle(bytes, { source, globals: TORCH_GLOBALS, unlisted: harmlessGlobal, persistentLoad, start });
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

/**
 * Before PyTorch 1.6: five pickles (a magic number, the protocol 1001, facts of the machine, the object, the list of the
 * storages' keys), then per key the number of elements (int64) and the raw numbers.
 */
function readLegacy(source: ByteSource, name: string, fail: Fail): Content {
  const bytes = readPart(source, 0, Math.min(source.size, LARGEST_PICKLE));
  const storages = new Map<string, TorchStorage>();
  let start = 0;
  const next = (): PickleValue => {
    const { value, end } = unpickled(bytes, name, storages, start);
    start = end;
    return value;
  };
  next();
  const protocol = next();
  if (protocol !== PROTOCOL) fail(`its protocol is not ${PROTOCOL}; it is damaged`);
  const machine = next();
  if (machine instanceof Map && machine.get('little_endian') !== true) {
    fail('its numbers are big-endian; save it again on a little-endian machine');
  }
  const value = next();
  const positions = storagePositions(source, next(), start, storages, fail);
  return { value, locate: (_source, storage) => positions.get(storage.key) as number };
}

function storagePositions(
  source: ByteSource,
  keys: PickleValue,
  start: number,
  storages: ReadonlyMap<string, TorchStorage>,
  fail: Fail,
): Map<string, number> {
  if (!Array.isArray(keys)) return fail('the keys of its storages are not a list; it is damaged');
  const positions = new Map<string, number>();
  let at = start;
  for (const key of keys) {
    const storage = typeof key === 'string' ? storages.get(key) : undefined;
    if (storage === undefined) return fail('it has a storage that nothing refers to; it is damaged');
    if (positions.has(storage.key)) fail('it has a storage twice; it is damaged');
    if (at + 8 + storage.length > source.size) {
      fail(
        `a storage of ${storage.length} bytes at ${at + 8} reaches beyond its end; it is cut off: download it again`,
      );
    }
    // In elements; a storage of no type counts bytes.
    const count = Number(readPart(source, at, 8).readBigInt64LE(0));
    const width = storage.length / count;
    if (count < 0 || (storage.length > 0 ? ![1, 2, 4, 8, 16].includes(width) : count !== 0)) {
      fail(`a storage of ${storage.length} bytes has ${count} elements; it is damaged`);
    }
    positions.set(storage.key, at + 8);
    at += 8 + storage.length;
  }
  const missing = [...storages.keys()].find((key) => !positions.has(key));
  if (missing !== undefined) fail(`the storage ${JSON.stringify(missing.slice(0, 60))} is missing; it is damaged`);
  return positions;
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
