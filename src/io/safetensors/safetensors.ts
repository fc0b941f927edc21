/**
 * The safetensors format (github.com/huggingface/safetensors): 8 bytes little-endian header length, a JSON header {
 * name: { dtype, shape, data_offsets: [begin, end] }, "__metadata__": { string: string } }, then the bytes of all
 * tensors without gaps. Files come from strangers: the header is checked completely before anything is allocated, and
 * allocations never exceed the file's size. Typed arrays are used as stored: Node.js runs on little-endian machines in
 * practice.
 */
import { type ByteSource, cannotRead, fileOpener, readPart } from '../byte-source.js';
import { HEAD_BYTES, describeNotSafetensors } from '../file-kind.js';
import { type FileTensor, type StoredTensor, type TensorData, numbersIn } from '../file-tensor.js';
import { type Fail, type HeaderEntry, type SafetensorsHeader, parseHeader } from './safetensors-header.js';

export type { StoredTensor };

const LARGEST_HEADER = 100_000_000;
const FORMAT = 'safetensors';

/** Content of a file, of which only the header is read yet. */
export interface SafetensorsFile extends Pick<SafetensorsHeader, 'metadata'> {
  readonly tensors: Map<string, FileTensor>;
}

/**
 * Opens a file: its header is read and checked, its tensors are read on demand. @throws UserError that names the file
 * and the key at fault
 */
export function openSafetensors(path: string): SafetensorsFile {
  const open = fileOpener(path, FORMAT);
  const fail = cannotRead(path, FORMAT);
  const { entries, metadata, start } = open((source) => readHeader(source, fail));
  const tensors = entries.map((entry): [string, FileTensor] => {
    const { name, dtype, shape } = entry;
    return [name, { dtype, shape, read: () => open((source) => readTensor(source, start, entry, fail)), source: path }];
  });
  return { tensors: new Map(tensors), metadata };
}

/** Reads a whole file. @throws UserError that names the file and the key at fault */
export function readSafetensors(
  path: string,
): Omit<SafetensorsFile, 'tensors'> & { readonly tensors: Map<string, StoredTensor> } {
  const { tensors, metadata } = openSafetensors(path);
  const stored = [...tensors].map(([name, { dtype, shape, read }]) => [name, { dtype, shape, data: read() }] as const);
  return { tensors: new Map(stored), metadata };
}

function readHeader(source: ByteSource, fail: Fail): SafetensorsHeader & { readonly start: number } {
  const { size } = source;
  const other = describeNotSafetensors(readPart(source, 0, Math.min(size, HEAD_BYTES)));
  if (other !== null) fail(other);
  if (size < 8) fail(`it has ${size} bytes, fewer than the 8 of the header length; it is cut off or another format`);
  const headerLength = Number(readPart(source, 0, 8).readBigUInt64LE(0));
  if (headerLength > LARGEST_HEADER) {
    fail(
      `the header claims ${headerLength} bytes (at most ${LARGEST_HEADER} are allowed); it is another format or damaged`,
    );
  }
  const start = 8 + headerLength;
  if (start > size) {
    fail(`the header claims ${headerLength} bytes but the file has ${size}; it is cut off or another format`);
  }
  return { ...parseHeader(readPart(source, 8, headerLength), size - start, fail), start };
}

function readTensor(source: ByteSource, start: number, entry: HeaderEntry, fail: Fail): TensorData {
  // A buffer of its own, so that the typed array is aligned and the file's memory can be freed tensor by tensor.
  const { buffer } = readPart(source, start + entry.begin, entry.end - entry.begin);
  return numbersIn(buffer, entry.dtype, (what) => fail(`tensor "${entry.name}": ${what}`));
}
