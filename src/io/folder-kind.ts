/** Folders of training tools, recognised by their files: description, and the step that gives weights. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

const MODEL_STATES = /^mp_rank_\d+_model_states\.pt$/;
const ZERO3_STATES = /^zero_pp_rank_\d+_mp_rank_\d+_model_states\.pt$/;
/** Files of a training that hold no weights. */
const NO_WEIGHTS =
  /^(?:optimizer|scheduler|scaler|rng_state|training_args|random_states|trainer_state|.*_optim_states)\b/;
const WEIGHTS = /\.(?:bin|pth|pt|ckpt|safetensors)$/;

export const DISTRIBUTED =
  "it is a part of PyTorch's distributed checkpoint (FSDP, torchtitan); put the parts together first: " +
  'python -m torch.distributed.checkpoint.format_utils dcp_to_torch FOLDER OUT.pt';

/** Description of a folder without weights of a known name; null where nothing is recognised. */
export function describeFolder(folder: string): string | null {
  const names = readdirSync(folder);
  return (
    deepSpeed(folder, names) ??
    distributed(folder, names) ??
    otherFormat(names) ??
    subfolder(folder, names) ??
    shardsWithoutIndex(names)
  );
}

/** Description of a file that holds only a part of the weights; null otherwise. */
export function describeParts(shapes: Iterable<readonly number[]>): string | null {
  const all = [...shapes];
  const empty = all.filter((shape) => shape.includes(0)).length;
  if (2 * empty <= all.length) return null;
  return (
    `${empty} of ${all.length} tensors are empty: this is one process's part of DeepSpeed ZeRO-3; join the parts with ` +
    'python zero_to_fp32.py FOLDER OUT, which DeepSpeed leaves in the folder of its checkpoints'
  );
}

export function weightFiles(folder: string): string[] {
  return readdirSync(folder).filter((name) => WEIGHTS.test(name) && !NO_WEIGHTS.test(name));
}

function deepSpeed(folder: string, names: readonly string[]): string | null {
  const isRoot = names.includes('zero_to_fp32.py') || names.some((name) => /^global_step\d+$/.test(name));
  const step = isRoot ? lastStep(folder, names) : '';
  if (step === null) {
    return isRoot ? "it is DeepSpeed's folder, but its global_step folder is missing; copy it whole" : null;
  }
  const place = join(folder, step);
  const states = isRoot ? readdirSync(place) : names;
  const models = states.filter((name) => MODEL_STATES.test(name));
  const parts = states.filter((name) => ZERO3_STATES.test(name));
  if (models.length === 1) {
    return `it is DeepSpeed's folder (ZeRO 1 or 2); name the file of the weights: ${join(place, models[0] as string)}`;
  }
  const root = isRoot ? folder : join(folder, '..');
  const join3 = `join them first: python ${join(root, 'zero_to_fp32.py')} ${root} OUT`;
  if (parts.length > 0) return `it is DeepSpeed's folder of ZeRO 3, ${parts.length} parts of the weights; ${join3}`;
  if (models.length > 1) {
    return `it is DeepSpeed's folder of a model split over ${models.length} processes; save it from one process, whole`;
  }
  return isRoot ? `it is DeepSpeed's folder, but ${place} has no model states; copy it whole` : null;
}

/** The step that `latest` names, else the highest. */
function lastStep(folder: string, names: readonly string[]): string | null {
  const latest = names.includes('latest') ? readFileSync(join(folder, 'latest'), 'utf8').trim() : '';
  if (/^[\w.-]+$/.test(latest) && existsSync(join(folder, latest))) return latest;
  return highest(names.filter((name) => /^global_step\d+$/.test(name))) ?? null;
}

/** The name with the highest number in it. */
function highest(names: readonly string[]): string | undefined {
  const number = (name: string): number => Number(name.replace(/\D/g, ''));
  return [...names].sort((a, b) => number(b) - number(a))[0];
}

function distributed(folder: string, names: readonly string[]): string | null {
  if (names.some((name) => name.endsWith('.distcp'))) return DISTRIBUTED.replace('FOLDER', folder);
  const inner = names.find((name) => /^pytorch_model_fsdp_\d+$/.test(name));
  return inner === undefined ? null : DISTRIBUTED.replace('FOLDER', join(folder, inner));
}

/** Files of other formats, and what is said of them after their names. */
const OTHER_FORMATS: readonly (readonly [RegExp, string])[] = [
  [/\.gguf$/, 'a GGUF file (llama.cpp), whose tensors are quantised; use the original weights it was made from'],
  [
    /^consolidated\.\d+\.pth$/,
    "LLaMA as Meta publishes it; convert it with transformers' convert_llama_weights_to_hf.py, or use the folder of the " +
      'Hugging Face hub',
  ],
  ...(
    [
      [/^(?:tf_model|model)\.h5$/, 'TensorFlow'],
      [/^flax_model\.msgpack$/, 'Flax'],
      [/\.onnx$/, 'ONNX'],
      [/\.engine$/, 'TensorRT'],
    ] as const
  ).map(([pattern, what]) => [pattern, `weights of ${what}; use those of PyTorch (safetensors or .bin)`] as const),
];

function otherFormat(names: readonly string[]): string | null {
  for (const [pattern, what] of OTHER_FORMATS) {
    const name = names.find((candidate) => pattern.test(candidate));
    if (name !== undefined) return `it has ${name}, ${what}`;
  }
  return null;
}

/** Weights one folder down: the trainer's checkpoint-500, the snapshot of the hub's cache. */
function subfolder(folder: string, names: readonly string[]): string | null {
  const isFolder = (name: string): boolean =>
    statSync(join(folder, name), { throwIfNoEntry: false })?.isDirectory() === true;
  const last = highest(names.filter((name) => /^checkpoint-\d+$/.test(name) && isFolder(name)));
  if (last !== undefined) return `it is the folder of a training; name one of its checkpoints: ${join(folder, last)}`;
  if (!names.includes('snapshots') || !isFolder('snapshots')) return null;
  const [snapshot] = readdirSync(join(folder, 'snapshots'));
  if (snapshot === undefined) return 'it is an entry of the Hugging Face cache without a snapshot; download it again';
  return `it is an entry of the Hugging Face cache; name its snapshot: ${join(folder, 'snapshots', snapshot)}`;
}

function shardsWithoutIndex(names: readonly string[]): string | null {
  const [shard] = names.filter((name) => /-\d{5}-of-\d{5}\.(?:safetensors|bin)$/.test(name));
  if (shard === undefined) return null;
  const index = shard.replace(/-\d{5}-of-\d{5}/, '').concat('.index.json');
  return `it has shards (${shard}) without their index; download ${index} too`;
}
