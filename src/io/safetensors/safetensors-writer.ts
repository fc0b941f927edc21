import { UserError } from '../../errors.js';
import { LET_GO, writeFileAtomic } from '../atomic/atomic-file.js';
import { inMemory } from '../file-tensor.js';
import { DTYPE_BYTES } from './safetensors-header.js';
import { DEFAULT_SHARD_BYTES, writeShards } from '../shards.js';
import { type TensorOutput, byteCount, checkNames, converted, named, outputBytes } from '../tensor-output.js';

/** Tensor in memory. Float32Array may be stored in half the space by `dtype`; Uint16Array holds its patterns. */
export interface TensorToStore {
  readonly shape: readonly number[];
  readonly data: Float32Array | Uint16Array | Int32Array | Uint8Array;
  /** Type of a Float32Array, which is rounded to nearest, ties to even (default F32), or of 16-bit patterns. */
  readonly dtype?: 'F32' | 'F16' | 'BF16';
}

type Tensors = ReadonlyMap<string, TensorToStore> | readonly TensorOutput[];
type Metadata = Readonly<Record<string, string>>;

/** The header's name for what is no tensor. */
const RESERVED = '__metadata__';

/**
 * Writes a file atomically, tensors in their order (those of wider types first, as the format's own writer does, so that
 * every tensor is aligned).
 * @throws UserError when the file cannot be written, or for a finite value that the type cannot hold; Error for a
 *   shape that does not fit its data. Nothing is left behind.
 */
export function writeSafetensors(path: string, tensors: Tensors, metadata: Metadata = {}): void {
  writeFileAtomic(path, pieces(path, tensors, metadata));
}

/** Bytes of a file to be written later, which share float32 memory. @param name for errors, as of `writeSafetensors` */
export function safetensorsPieces(name: string, tensors: Tensors, metadata: Metadata = {}): Uint8Array[] {
  return [...pieces(name, tensors, metadata)].filter((piece) => piece !== LET_GO);
}

function pieces(path: string, stored: Tensors, metadata: Metadata): Iterable<Uint8Array> {
  const tensors = 'size' in stored ? [...stored].map(([name, tensor]) => toOutput(name, tensor)) : stored;
  checkNames(tensors);
  if (tensors.some(({ name }) => name === RESERVED)) {
    throw new UserError(`Cannot write ${path}: safetensors has no tensor called "${RESERVED}"; rename it.`);
  }
  const ordered = [...tensors].sort((a, b) => DTYPE_BYTES[b.dtype] - DTYPE_BYTES[a.dtype]);
  return (function* (): Generator<Uint8Array> {
    yield headerOf(ordered, metadata);
    for (const tensor of ordered) {
      yield* outputBytes(tensor);
      yield LET_GO;
    }
  })();
}

/**
 * Writes model.safetensors, or, when the tensors exceed `shardBytes`, model-00001-of-0000N.safetensors and so on with
 * model.safetensors.index.json, into an existing folder (best a temporary one: see writeDirectoryAtomic).
 * @returns the names of the files
 * @throws as `writeSafetensors`
 */
export function writeShardedSafetensors(
  dir: string,
  tensors: readonly TensorOutput[],
  { shardBytes = DEFAULT_SHARD_BYTES }: { readonly shardBytes?: number } = {},
): string[] {
  return writeShards(dir, tensors, { stem: 'model', extension: '.safetensors' }, shardBytes, (path, shard) => {
    // Hugging Face's libraries refuse files that do not say which framework's layouts they hold.
    writeSafetensors(path, shard, { format: 'pt' });
  });
}

function headerOf(tensors: readonly TensorOutput[], metadata: Metadata): Buffer {
  const pairs: [string, unknown][] = Object.keys(metadata).length > 0 ? [[RESERVED, metadata]] : [];
  let offset = 0;
  for (const tensor of tensors) {
    const end = offset + byteCount(tensor);
    pairs.push([tensor.name, { dtype: tensor.dtype, shape: tensor.shape, data_offsets: [offset, end] }]);
    offset = end;
  }
  const json = Buffer.from(JSON.stringify(Object.fromEntries(pairs)), 'utf8');
  // Padded with spaces, so that the tensors start at a multiple of 8.
  const header = Buffer.alloc(8 + Math.ceil(json.length / 8) * 8, ' ');
  header.writeBigUInt64LE(BigInt(header.length - 8), 0);
  json.copy(header, 8);
  return header;
}

function toOutput(name: string, { shape, data, dtype }: TensorToStore): TensorOutput {
  const expected = shape.reduce((product, size) => product * size, 1);
  if (expected !== data.length) {
    throw new Error(`writeSafetensors: "${name}" has ${data.length} values for shape [${shape.join(', ')}]`);
  }
  if (data instanceof Float32Array) {
    return named(name, converted(inMemory({ dtype: 'F32', shape, data }), dtype ?? 'F32', name));
  }
  if (data instanceof Uint16Array) {
    if (dtype === 'F16' || dtype === 'BF16') return named(name, inMemory({ dtype, shape, data }));
    throw new Error(`writeSafetensors: "${name}" holds 16-bit patterns, of F16 or BF16, not ${dtype ?? 'F32'}`);
  }
  if (dtype !== undefined) throw new Error(`writeSafetensors: "${name}" holds integers, not ${dtype}`);
  return named(name, inMemory({ dtype: data instanceof Int32Array ? 'I32' : 'U8', shape, data }));
}
