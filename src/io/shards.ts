/** Checkpoints of several files, as Hugging Face's libraries write them: numbered shards and an index of names. */
import { join } from 'node:path';
import { writeJson } from './json/json-file.js';
import { type TensorOutput, byteCount, checkNames } from './tensor-output.js';

/** Largest number of bytes of tensors per shard (a larger tensor has a shard of its own). */
export const DEFAULT_SHARD_BYTES = 2e9;

/** @param stem and extension of the files: `model` + `.safetensors` @returns the names of the files */
export function writeShards(
  dir: string,
  tensors: readonly TensorOutput[],
  { stem, extension }: { readonly stem: string; readonly extension: string },
  shardBytes: number,
  writeShard: (path: string, tensors: readonly TensorOutput[]) => void,
): string[] {
  checkNames(tensors);
  const shards = split(tensors, shardBytes);
  if (shards.length === 1) {
    writeShard(join(dir, stem + extension), tensors);
    return [stem + extension];
  }
  const number = (value: number): string => String(value).padStart(5, '0');
  const files = shards.map((_, i) => `${stem}-${number(i + 1)}-of-${number(shards.length)}${extension}`);
  shards.forEach((shard, i) => {
    writeShard(join(dir, files[i] as string), shard);
  });
  const index = `${stem}${extension}.index.json`;
  writeJson(join(dir, index), {
    metadata: { total_size: tensors.reduce((sum, tensor) => sum + byteCount(tensor), 0) },
    weight_map: Object.fromEntries(shards.flatMap((shard, i) => shard.map(({ name }) => [name, files[i]]))),
  });
  return [...files, index];
}

/** In order, each shard as full as possible; at least one shard. */
function split(tensors: readonly TensorOutput[], shardBytes: number): TensorOutput[][] {
  const shards: TensorOutput[][] = [[]];
  let filled = 0;
  for (const tensor of tensors) {
    filled += byteCount(tensor);
    if (filled > shardBytes && shards.at(-1)?.length !== 0) {
      filled = byteCount(tensor);
      shards.push([]);
    }
    shards.at(-1)?.push(tensor);
  }
  return shards;
}
