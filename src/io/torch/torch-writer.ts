/**
 * Checkpoints for PyTorch in the zip form of torch.save since 1.6, also for weights_only=True: an OrderedDict of names
 * and tensors in data.pkl, each tensor's numbers in a file of their own. Tensors are read one by one while the file is
 * written. (torch/serialization.py `_save`; torch/_utils.py `_rebuild_tensor_v2`)
 */
import { createHash } from 'node:crypto';
import { UserError } from '../../errors.js';
import { writeFileAtomic } from '../atomic/atomic-file.js';
import { type Picklable, call, global, persistentId, pickle, tuple } from './pickle-writer.js';
import { TORCH_TYPES } from './torch-tensors.js';
import { isRead } from '../safetensors/safetensors-header.js';
import { DEFAULT_SHARD_BYTES, writeShards } from '../shards.js';
import { type TensorOutput, byteCount, checkNames, outputBytes } from '../tensor-output.js';
import { type ZipEntry, zipPieces } from './zip-writer.js';

/** The folder in the archive; torch reads its name from the first entry. */
const ROOT = 'archive';

const ORDERED_DICT = global('collections', 'OrderedDict');
const REBUILD_TENSOR = global('torch._utils', '_rebuild_tensor_v2');

/**
 * Writes a file atomically, tensors in the order given.
 * @throws UserError when the file cannot be written or a tensor's type has no form in PyTorch; errors of a tensor's
 *   `read`. Nothing is left behind
 */
export function writeTorchCheckpoint(path: string, tensors: readonly TensorOutput[]): void {
  checkNames(tensors);
  const entries: ZipEntry[] = [
    entry('data.pkl', stateDict(path, tensors)),
    entry('byteorder', 'little'),
    ...tensors.map((tensor, i) => ({
      name: `${ROOT}/data/${i}`,
      size: byteCount(tensor),
      read: () => outputBytes(tensor),
    })),
    entry('version', '3\n'),
  ];
  writeFileAtomic(path, zipPieces(entries, serializationId));
}

/**
 * Writes pytorch_model.bin, or, when the tensors exceed `shardBytes`, pytorch_model-00001-of-0000N.bin and so on with
 * pytorch_model.bin.index.json, into an existing folder (best a temporary one: see writeDirectoryAtomic).
 * @returns the names of the files
 * @throws as `writeTorchCheckpoint`
 */
export function writeShardedTorch(
  dir: string,
  tensors: readonly TensorOutput[],
  { shardBytes = DEFAULT_SHARD_BYTES }: { readonly shardBytes?: number } = {},
): string[] {
  return writeShards(dir, tensors, { stem: 'pytorch_model', extension: '.bin' }, shardBytes, writeTorchCheckpoint);
}

function stateDict(path: string, tensors: readonly TensorOutput[]): Buffer {
  const rebuilt = tensors.map(({ name, dtype, shape }, i): [string, Picklable] => {
    // It has none for the unsigned types of more than 8 bits.
    const storageClass = isRead(dtype) ? TORCH_TYPES[dtype]?.[1] : undefined;
    if (storageClass === undefined) {
      throw new UserError(
        `Cannot write ${path}: tensor "${name}" is of type ${dtype}, which PyTorch's files have no form of; ` +
          'store it as I64, or write safetensors.',
      );
    }
    const count = shape.reduce((product, size) => product * size, 1);
    const storage = persistentId(tuple('storage', global('torch', storageClass), String(i), 'cpu', count));
    const [offset, requiresGradient, hooks] = [0, false, call(ORDERED_DICT, [])];
    const values = [storage, offset, tuple(...shape), tuple(...stridesOf(shape)), requiresGradient, hooks];
    return [name, call(REBUILD_TENSOR, values)];
  });
  return pickle(call(ORDERED_DICT, [], rebuilt));
}

function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= Math.max(1, shape[axis] as number);
  }
  return strides;
}

/** 40 digits by which PyTorch tells files apart: two 64-bit numbers made from the content. */
function serializationId(checksums: readonly { readonly name: string; readonly crc: number }[]): ZipEntry {
  const digest = createHash('sha256')
    .update(checksums.map(({ name, crc }) => `${name} ${crc}\n`).join(''))
    .digest();
  const halves = [digest.readBigUInt64LE(0), digest.readBigUInt64LE(8)];
  return entry('.data/serialization_id', halves.map((half) => half.toString().padStart(20, '0')).join(''));
}

function entry(name: string, content: string | Buffer): ZipEntry {
  const bytes = Buffer.from(content);
  return { name: `${ROOT}/${name}`, size: bytes.length, read: () => [bytes] };
}
