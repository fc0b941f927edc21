/**
 * LLaVA's deltas: weights published as differences from LLaMA's, which its licence did not allow to be passed on.
 * full = base + delta; rows and tensors that the base does not have (added tokens, the projector) are in the delta whole.
 * Reference: LLaVA, llava/model/apply_delta.py.
 */
import { basename, resolve } from 'node:path';
import { UserError } from '../../../errors.js';
import type { FileTensor, FileTensors } from '../../../io/file-tensor.js';
import type { JsonReader } from '../../../io/json/json-reader.js';
import { toFloat32 } from '../../../io/file-tensor.js';
import { gsvaCommand } from '../../../program.js';

/** RMSNorm's scales are 0.3 and more on average in every LLaMA, those of a delta some thousandths. */
const FINAL_NORM = 'model.norm.weight';
const LEAST_SCALE = 0.03;
const SAYS_DELTA = /(^|[^a-z])delta([^a-z]|$)/i;

/**
 * @param path where the weights are
 * @param config LLaVA's config.json
 * @throws UserError where they are a delta, by its name or by its numbers
 */
export function refuseDelta(path: string, config: JsonReader, tensors: FileTensors): void {
  const why = deltaSign(path, config, tensors);
  if (why === null) return;
  throw new UserError(
    `${path} is a delta, not whole weights (${why}). Add the base first: ` +
      `${gsvaCommand(`convert delta --base LLAMA --delta ${path} --out LLAVA`)}.`,
  );
}

function deltaSign(path: string, config: JsonReader, tensors: FileTensors): string | null {
  const name = basename(resolve(path));
  if (SAYS_DELTA.test(name)) return `its folder is named ${name}`;
  const original = config.optional('_name_or_path')?.string() ?? '';
  if (SAYS_DELTA.test(basename(original))) return `config.json says it was made as ${original}`;
  const norm = tensors.get(FINAL_NORM);
  if (norm === undefined) return null;
  const scales = toFloat32({ ...norm, data: norm.read() }, FINAL_NORM);
  const mean = scales.reduce((sum, value) => sum + Math.abs(value), 0) / scales.length;
  return mean < LEAST_SCALE ? `the scales of ${FINAL_NORM} are ${mean.toPrecision(2)} on average` : null;
}

/** Keys whose numbers make the weights mean the same; left out, they are what LLaMA takes them for. */
const SHARED_SIZES = [
  ...['hidden_size', 'intermediate_size', 'num_hidden_layers', 'num_attention_heads'],
  ...['num_key_value_heads', 'head_dim'],
];

/** Holds the sizes in two config.json against each other. @throws UserError that names the file and the key */
export function refuseOtherSizes(base: JsonReader, delta: JsonReader): void {
  const size = (config: JsonReader, key: string): unknown => {
    const said = config.optional(key)?.value;
    const heads = Number(config.optional('num_attention_heads')?.value);
    if (said === undefined && key === 'num_key_value_heads') return heads;
    if (said === undefined && key === 'head_dim') return Number(config.optional('hidden_size')?.value) / heads;
    return said;
  };
  for (const key of SHARED_SIZES) {
    const [own, expected] = [size(base, key), size(delta, key)];
    if (own === undefined || expected === undefined || own === expected || Number.isNaN(own)) continue;
    base
      .key(key)
      .fail(`${JSON.stringify(expected)}, as the delta's config.json has it; use the base that it was made from`);
  }
}

/** base + delta, tensor by tensor as they are read, in float32. @throws UserError where they do not belong together */
export function addDelta(base: FileTensors, delta: FileTensors): FileTensors {
  const absent = [...base.keys()].filter((name) => !delta.has(name) && !name.endsWith('rotary_emb.inv_freq'));
  if (absent.length > 0) {
    throw new UserError(
      `Adding a delta: it lacks "${absent[0] as string}"${absent.length > 1 ? ` and ${absent.length - 1} more` : ''}, ` +
        'which the base has. Use the base that it was made from.',
    );
  }
  return new Map([...delta].map(([name, tensor]) => [name, sumOf(name, base.get(name), tensor)]));
}

function sumOf(name: string, base: FileTensor | undefined, delta: FileTensor): FileTensor {
  if (base === undefined) return delta;
  const { shape } = delta;
  // The base's vocabulary may end before the delta's: the first rows are sums, the others the delta's alone.
  const fits = base.shape.length === shape.length && base.shape.every((size, i) => size <= (shape[i] ?? 0));
  const sameRows = base.shape.slice(1).every((size, i) => size === shape[i + 1]);
  if (!fits || !sameRows) {
    throw new UserError(
      `Adding a delta: "${name}" has shape [${shape.join(', ')}] there and [${base.shape.join(', ')}] in the base. ` +
        'Use the base that it was made from.',
    );
  }
  const read = (): Float32Array => {
    const sum = Float32Array.from(toFloat32({ ...delta, data: delta.read() }, name));
    const first = toFloat32({ ...base, data: base.read() }, name);
    for (let i = 0; i < first.length; i++) sum[i] = (sum[i] as number) + (first[i] as number);
    return sum;
  };
  return { dtype: 'F32', shape, read };
}
