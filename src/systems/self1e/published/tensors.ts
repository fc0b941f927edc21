/** Weights of published files under our names: one file or folder after the other, later ones replace earlier ones. */
import { UserError } from '../../../errors.js';
import type { FileTensor, FileTensors, TensorData } from '../../../io/file-tensor.js';
import { openCheckpoint } from '../../../io/checkpoint-files.js';
import type { PartReport } from '../../shared/published/names.js';
import { refuseQuantised } from '../../shared/published/quantised.js';
import type { JsonReader } from '../../../io/json/json-reader.js';
import { EMBEDDING, ownName, POSITIONS } from './names.js';

/**
 * Adds the tensors of a part.
 * @param tensors of the parts before, by our names
 * @param config the part's config.json, where it has one
 * @throws UserError for files of another kind, and for a tensor that is there twice
 */
export function addPart(
  part: 'mllm' | 'weights',
  path: string,
  config: JsonReader | null,
  tensors: Map<string, FileTensor>,
): PartReport {
  const { files, tensors: published, within = null } = openCheckpoint(path);
  refuseQuantised(path, config, published);
  const { own, unused } = renamed(path, published);
  if (part === 'mllm') refuseOtherModel(path, own);
  const replaced = [...own.keys()].filter((name) => tensors.has(name));
  for (const [name, tensor] of own) tensors.set(name, tensor);
  return { part, files, within, loaded: own.size, replaced, unused };
}

function renamed(path: string, published: FileTensors) {
  const own = new Map<string, FileTensor>();
  const origins = new Map<string, string>();
  const thirds = new Map<string, (FileTensor | undefined)[]>();
  const unused: { name: string; reason: string }[] = [];
  for (const [publishedName, tensor] of published) {
    const found = ownName(publishedName);
    if ('unused' in found) {
      unused.push({ name: publishedName, reason: found.unused });
      continue;
    }
    const { name, third } = found;
    const place = third === null ? name : `${name}, third ${third}`;
    const twice = origins.get(place);
    if (twice !== undefined) {
      throw new UserError(`${path}: "${twice}" and "${publishedName}" are both ${name}. One of them must go.`);
    }
    origins.set(place, publishedName);
    if (tensor.shape.includes(0)) {
      throw new UserError(
        `${path}: "${publishedName}" has no elements: the file is one process's part of DeepSpeed ZeRO-3. Save the whole ` +
          'model (stage3_gather_16bit_weights_on_model_save).',
      );
    }
    if (third === null) own.set(name, tensor);
    else {
      const parts = thirds.get(name) ?? [undefined, undefined, undefined];
      parts[third] = tensor;
      thirds.set(name, parts);
    }
  }
  for (const [name, parts] of thirds) own.set(name, joined(path, name, parts));
  return { own, unused };
}

/** Queries, keys and values below each other: `attn.qkv`. */
function joined(path: string, name: string, parts: readonly (FileTensor | undefined)[]): FileTensor {
  const [first] = parts;
  const whole = parts.filter((part) => part !== undefined);
  const isLike = ({ dtype, shape }: FileTensor): boolean =>
    dtype === first?.dtype && shape.join() === first.shape.join();
  if (first === undefined || whole.length < 3 || !whole.every(isLike)) {
    throw new UserError(
      `${path}: "${name}" is made of three tensors of one shape and type (q_proj, k_proj, v_proj); there are ` +
        `${whole.map(({ dtype, shape }) => `${dtype} [${shape.join(', ')}]`).join(', ')}. Copy the weights again.`,
    );
  }
  const [rows = 0, ...rest] = first.shape;
  const read = (): TensorData => {
    const arrays = whole.map((part) => part.read());
    const [array] = arrays as [TensorData];
    const all = new (array.constructor as new (length: number) => TensorData)(3 * array.length);
    for (const [index, each] of arrays.entries()) (all as Float32Array).set(each as Float32Array, index * array.length);
    return all;
  };
  return { dtype: first.dtype, shape: [3 * rows, ...rest], read, source: first.source ?? path };
}

/** Files that are taken for those of InternVL, by a name that only they have. */
const KINDS: readonly (readonly [RegExp, string])[] = [
  [/\.attention\.wqkv\./, 'InternVL with InternLM2 as its LLM; those with Qwen2 are read (InternVL3-2B, InternVL3-8B)'],
  [/^model\.(?:mm_projector|vision_tower)\./, 'LLaVA, whose files are named with --vision-tower'],
  [/^visual\.|^model\.visual\./, 'Qwen-VL'],
  [/^model\.layers\./, 'a language model without an encoder'],
];

function refuseOtherModel(path: string, own: ReadonlyMap<string, FileTensor>): void {
  const lacking = [EMBEDDING, POSITIONS, 'mlp1.1.weight'].filter((name) => !own.has(name));
  const kind = KINDS.find(([pattern]) => [...own.keys()].some((name) => pattern.test(name)));
  if (lacking.length === 0 && kind === undefined) return;
  const shown = [...own.keys()].slice(0, 3).map((name) => `"${name}"`);
  const what = kind === undefined ? `it has ${shown.join(', ')} …` : `this is ${kind[1]}`;
  const lack = lacking.length === 0 ? 'is not' : `lacks "${lacking[0] ?? ''}" of`;
  throw new UserError(`${path} ${lack} an InternVL with Qwen2 (${what}). Name the folder of InternVL3 or SELF1E.`);
}
