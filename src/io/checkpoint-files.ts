/** Weights in safetensors or PyTorch files: one file, or a folder of shards with an index. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { UserError } from '../errors.js';
import { headOf } from './byte-source.js';
import type { FileTensor, FileTensors } from './file-tensor.js';
import { DISTRIBUTED, describeFolder, weightFiles } from './folder-kind.js';
import { JsonReader } from './json/json-reader.js';
import { openSafetensors } from './safetensors/safetensors.js';
import { openShared } from './shared-tensors.js';
import { openTorchCheckpoint } from './torch/torch-checkpoint.js';

export interface Checkpoint {
  readonly tensors: FileTensors;
  readonly files: readonly string[];
  readonly format: 'safetensors' | 'PyTorch';
  /** Place of the tensors in a file of torch.save, and its other keys: '"model" (next to it: epoch)'; null: the top. */
  readonly within?: string | null;
}

/** Files of a folder, the first present one is read; a safetensors file before a pickle. */
const IN_FOLDER = [
  'model.safetensors.index.json',
  'model.safetensors',
  'pytorch_model.bin.index.json',
  'pytorch_model.bin',
  // A PEFT adapter, alone or in a checkpoint of transformers' Trainer.
  'adapter_model.safetensors',
  'adapter_model.bin',
] as const;
const ADAPTER = 'adapter_model.';
/** Trained weights other than the adapter, as LLaVA's trainer saves them next to it. */
const BESIDE_ADAPTER = 'non_lora_trainables.bin';
/** A part of a model in a file of its own, named after it; shards of a whole have numbers. */
const BESIDE_MODEL = /^pytorch_model-[a-z_]+\.bin$/;
const ZIP_MAGIC = Buffer.from('PK');
const PICKLE_MAGIC = 0x80;

/**
 * Opens a file (.safetensors, .bin, .pth, .pt, an index), or the weights of a folder. Only headers are read.
 * @throws UserError that names the file at fault
 */
export function openCheckpoint(path: string): Checkpoint {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) throw new UserError(`Reading weights: there is no ${path}; check the path.`);
  if (found.isDirectory()) {
    const beside = readdirSync(path)
      .filter((name) => BESIDE_MODEL.test(name))
      .sort()
      .map((name) => join(path, name));
    return beside.reduce((all, file) => joined(all, openFile(file), file), openCheckpoint(weightsOf(path)));
  }
  if (path.endsWith('.index.json')) return openShards(path);
  if (path.endsWith('.distcp')) {
    throw new UserError(`Reading weights: ${path} cannot be read: ${DISTRIBUTED.replace('FOLDER', dirname(path))}.`);
  }
  const opened = openFile(path);
  const shared = openShared(path);
  if (shared !== null) return joined(opened, { ...opened, tensors: shared.tensors, files: [shared.path] }, shared.path);
  const beside = join(dirname(path), BESIDE_ADAPTER);
  return basename(path).startsWith(ADAPTER) && existsSync(beside) ? joined(opened, openFile(beside), beside) : opened;
}

function openFile(path: string): Checkpoint {
  if (isPyTorch(path)) {
    const { tensors, others, wrapper } = openTorchCheckpoint(path);
    return { tensors, files: [path], format: 'PyTorch', within: wrapper === null ? null : placeOf(wrapper, others) };
  }
  return { tensors: openSafetensors(path).tensors, files: [path], format: 'safetensors' };
}

function placeOf(wrapper: string, others: ReadonlyMap<string, unknown>): string {
  const beside = [...others.keys()].filter((key) => !key.startsWith(`${wrapper}.`));
  const more = beside.length > 6 ? ` and ${beside.length - 6} more` : '';
  return `"${wrapper}"${beside.length === 0 ? '' : ` (next to it: ${beside.slice(0, 6).join(', ')}${more})`}`;
}

function joined(first: Checkpoint, second: Checkpoint, path: string): Checkpoint {
  const twice = [...second.tensors.keys()].find((name) => first.tensors.has(name));
  if (twice !== undefined) {
    throw new UserError(`${path} and ${first.files[0] ?? ''} both have "${twice}". One of them must go.`);
  }
  return {
    tensors: new Map([...first.tensors, ...second.tensors]),
    files: [...first.files, ...second.files],
    format: first.format,
    within: first.within ?? null,
  };
}

/** The file, or the index, of a folder's weights. @throws UserError where there is none */
export function weightsOf(folder: string): string {
  const name = IN_FOLDER.find((candidate) => existsSync(join(folder, candidate)));
  if (name !== undefined) return join(folder, name);
  if (!existsSync(folder)) throw new UserError(`Reading weights: there is no folder ${folder}; check the path.`);
  const kind = describeFolder(folder);
  if (kind !== null) throw new UserError(`Reading weights: ${folder} cannot be read as it is: ${kind}.`);
  const present = weightFiles(folder);
  if (present.length === 1) return join(folder, present[0] as string);
  const there = present.length === 0 ? '' : `; it has ${present.slice(0, 5).join(', ')}`;
  throw new UserError(`Reading weights: ${folder} has none of ${IN_FOLDER.join(', ')}${there}. Name the file itself.`);
}

/** Decided by content where the name does not suffice: a zip file or a pickle is PyTorch's. */
function isPyTorch(path: string): boolean {
  if (path.endsWith('.safetensors')) return false;
  if (/\.(bin|pth|pt|ckpt|gguf)$/.test(path)) return true;
  const start = headOf(path);
  return start.subarray(0, 2).equals(ZIP_MAGIC) || start[0] === PICKLE_MAGIC;
}

/** `{ "metadata": …, "weight_map": { name: file } }`, with the files next to it. */
function openShards(indexPath: string): Checkpoint {
  const map = JsonReader.open(indexPath, 'the index of the shards').key('weight_map');
  const shards = new Map<string, Checkpoint>();
  const tensors = new Map<string, FileTensor>();
  for (const [name, place] of map.entries()) {
    const file = place.string();
    // The name is joined to a folder: it must not lead out of it.
    if (basename(file) !== file || file === '..' || file.includes('\\') || file.endsWith('.index.json')) {
      place.fail('the name of a file next to the index');
    }
    const shard = shards.get(file) ?? openCheckpoint(join(dirname(indexPath), file));
    shards.set(file, shard);
    const tensor = shard.tensors.get(name);
    if (tensor === undefined) {
      throw new UserError(
        `${indexPath} says that "${name}" is in ${file}, which does not have it. Use index and shards of one release.`,
      );
    }
    tensors.set(name, tensor);
  }
  // What the index leaves out is there all the same; whoever loads it is strict about names.
  for (const shard of shards.values()) {
    for (const [name, tensor] of shard.tensors) if (!tensors.has(name)) tensors.set(name, tensor);
  }
  const opened = [...shards.values()];
  if (opened.length === 0) map.fail('an object with at least one tensor');
  return { tensors, files: opened.flatMap(({ files }) => files), format: opened[0]?.format ?? 'safetensors' };
}
