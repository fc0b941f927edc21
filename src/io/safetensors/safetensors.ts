/**
 * The safetensors format (github.com/huggingface/safetensors): 8 bytes little-endian header length, a JSON header {
 * name: { dtype, shape, data_offsets: [begin, end] }, "__metadata__": { string: string } }, then the bytes of all
 * tensors without gaps. Files come from strangers: the header is checked completely before anything is allocated, and
 * allocations never exceed the file's size. Typed arrays are used as stored: Node.js runs on little-endian machines in
 * practice.
 */
import { UserError } from '../../errors.js';
import {
  type FileTensor,
  type StoredTensor,
  type TensorData,
  cannotRead,
  numbersIn,
  readBytes,
  withFile,
} from '../file-tensor.js';
import { bfloat16ToFloat32, halfToFloat32 } from '../../half-float.js';
import { HEAD_BYTES, describeNotSafetensors } from '../file-kind.js';
import { type Fail, type HeaderEntry, type SafetensorsHeader, parseHeader } from './safetensors-header.js';

export type { StoredTensor, TensorData } from '../file-tensor.js';
export type { Dtype } from './safetensors-header.js';

export interface SafetensorsContent {
  readonly tensors: Map<string, StoredTensor>;
  readonly metadata: Record<string, string>;
}

const LARGEST_HEADER = 100_000_000;
const FORMAT = 'safetensors';

/** Content of a file, of which only the header is read yet. */
export interface SafetensorsFile {
  readonly tensors: Map<string, FileTensor>;
  readonly metadata: Record<string, string>;
}

/**
 * Opens a file: its header is read and checked, its tensors are read on demand. @throws UserError that names the file
 * and the key at fault
 */
export function openSafetensors(path: string): SafetensorsFile {
  return withFile(path, FORMAT, (file, size) => {
    const { header, start } = readHeader(file, size, path);
    const tensors = new Map<string, FileTensor>();
    for (const entry of header.entries) {
      const { dtype, shape } = entry;
      const read = (): TensorData =>
        withFile(path, FORMAT, (again) => readTensor(again, start, entry, cannotRead(path, FORMAT)), size);
      tensors.set(entry.name, { dtype, shape, read, source: path });
    }
    return { tensors, metadata: header.metadata };
  });
}

/** Reads a whole file. @throws UserError that names the file and the key at fault */
export function readSafetensors(path: string): SafetensorsContent {
  return withFile(path, FORMAT, (file, size) => {
    const { header, start } = readHeader(file, size, path);
    const tensors = new Map<string, StoredTensor>();
    for (const entry of header.entries) {
      const data = readTensor(file, start, entry, cannotRead(path, FORMAT));
      tensors.set(entry.name, { dtype: entry.dtype, shape: entry.shape, data });
    }
    return { tensors, metadata: header.metadata };
  });
}

function readHeader(file: number, size: number, path: string): { header: SafetensorsHeader; start: number } {
  const fail = cannotRead(path, FORMAT);
  const other = describeNotSafetensors(readBytes(file, 0, Math.min(size, HEAD_BYTES)));
  if (other !== null) fail(other);
  if (size < 8) fail(`it has ${size} bytes, fewer than the 8 of the header length; it is cut off or another format`);
  const headerLength = Number(readBytes(file, 0, 8).readBigUInt64LE(0));
  if (headerLength > LARGEST_HEADER) {
    fail(
      `the header claims ${headerLength} bytes (at most ${LARGEST_HEADER} are allowed); it is another format or damaged`,
    );
  }
  if (8 + headerLength > size) {
    fail(`the header claims ${headerLength} bytes but the file has ${size}; it is cut off or another format`);
  }
  const header = parseHeader(readBytes(file, 8, headerLength), size - 8 - headerLength, fail);
  return { header, start: 8 + headerLength };
}

function readTensor(file: number, start: number, entry: HeaderEntry, fail: Fail): TensorData {
  // A buffer of its own, so that the typed array is aligned and the file's memory can be freed tensor by tensor.
  const bytes = readBytes(file, start + entry.begin, entry.end - entry.begin);
  return numbersIn(bytes.buffer, entry.dtype, (what) => fail(`tensor "${entry.name}": ${what}`));
}

/**
 * A stored tensor's values as float32: exact for F32, F16, BF16, BOOL and small integers; F64 is rounded.
 * @throws UserError for an integer that float32 cannot hold exactly
 */
export function toFloat32(tensor: StoredTensor, name = 'tensor'): Float32Array {
  const { dtype, data } = tensor;
  if (data instanceof Float32Array) return data;
  if (data instanceof Uint16Array && dtype === 'F16') return halfToFloat32(data);
  if (data instanceof Uint16Array && dtype === 'BF16') return bfloat16ToFloat32(data);
  if (data instanceof Float64Array) return Float32Array.from(data);
  const out = new Float32Array(data.length);
  for (let i = 0; i < data.length; i++) {
    const value = Number(data[i]);
    out[i] = value;
    if (out[i] !== value || !Number.isSafeInteger(value)) {
      throw new UserError(
        `"${name}" (${dtype}): element ${i} is ${String(data[i])}, which float32 cannot hold exactly.`,
      );
    }
  }
  return out;
}
