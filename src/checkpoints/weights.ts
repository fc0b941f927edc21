/**
 * Weights in and out, under the published names and in PyTorch's layouts (Linear [out, in], Conv [out, in, kh, kw]).
 * Loading is strict both ways: a missing or left-over tensor is an error unless the caller or `NEVER_READ` expects it.
 */
import { UserError } from '../errors.js';
import { nameInModel, PUBLISHED_PREFIX } from '../networks/lora.js';
import { PackedMatrix } from '../engine/packed-matrix.js';
import * as tf from '../engine/tf.js';
import { firstOverflow, float32ToBfloat16 } from '../half-float.js';
import type { FileTensor, FileTensors, StoredTensor } from '../io/file-tensor.js';
import type { TensorToStore } from '../io/safetensors/safetensors-writer.js';
import type { WeightDtype } from '../io/tensor-output.js';
import { toFloat32 } from '../io/file-tensor.js';
import type { CompositeLayer, Layout, PackedParameter, Parameter } from '../nn/composite-layer.js';
import { gsvaCommand } from '../command-name.js';

export { nameInModel, PUBLISHED_PREFIX };

/** Tensors in published files that no part reads: functions of rope_theta, and 0, 1, 2, … */
const NEVER_READ = /rotary_emb\.inv_freq$|embeddings\.position_ids$/;

/** Types a weight may be stored in: every value of theirs can be read as float32. */
const FLOATING: readonly string[] = ['F32', 'F16', 'BF16', 'F64'];

export interface LoadOptions {
  /** Names (ours, without prefix) that may be absent and then keep their start value: LoRA and ψ on a base model. */
  readonly mayBeMissing?: RegExp;
  readonly mayBeUnused?: RegExp;
  /** Names of matrices [vocabulary, …] of which the file may hold the first rows only; the others keep their start value. */
  readonly mayGrow?: RegExp;
  /** Packed parameters take what is stored in F32 or F64 too, rounded to BF16. Default: they refuse it. */
  readonly roundPacked?: boolean;
}

export interface LoadReport {
  readonly loaded: readonly string[];
  readonly missing: readonly string[];
  readonly unused: readonly string[];
  /** Packed parameters that are stored in more than 16 bits, and so are rounded to BF16. */
  readonly rounded: readonly string[];
}

type AnyParameter = Parameter | PackedParameter;

/** Sets parameters once all are checked. @throws UserError naming tensors missing, left over or of a wrong shape */
export function loadWeights(
  layer: CompositeLayer,
  tensors: FileTensors,
  source: string,
  options: LoadOptions = {},
): LoadReport {
  const report = checkWeights(layer, tensors, source, options);
  const parameters = allParameters(layer);
  const byName = byBareName(tensors);
  for (const name of report.loaded) {
    const [parameter, tensor] = [parameters.get(name), byName.get(name)];
    if (parameter === undefined || tensor === undefined) continue;
    if (isPacked(parameter)) assignPacked(parameter, tensor, name);
    else assign(parameter, tensor, name);
  }
  return report;
}

/** As `loadWeights`, but nothing is read and nothing changes. */
export function checkWeights(
  layer: CompositeLayer,
  tensors: FileTensors,
  source: string,
  options: LoadOptions = {},
): LoadReport {
  const parameters = allParameters(layer);
  const byName = byBareName(tensors);
  if (byName.size < tensors.size) {
    const twice = [...tensors.keys()].filter((name) => name !== nameInModel(name) && tensors.has(nameInModel(name)));
    refuse(twice, source, `holds, with and without "${PUBLISHED_PREFIX}",`);
  }
  const missing = [...parameters.keys()].filter((name) => !byName.has(name));
  const unused = [...byName.keys()].filter((name) => !parameters.has(name));
  const lacking = missing.filter((name) => options.mayBeMissing?.test(name) !== true);
  refuse(lacking, fileLacking(lacking[0] ?? '', byName, source), 'lacks', unused);
  const leftOver = unused.filter((name) => !NEVER_READ.test(name) && options.mayBeUnused?.test(name) !== true);
  refuse(leftOver, byName.get(leftOver[0] ?? '')?.source ?? source, 'holds, but this model has no place for,');
  const loaded = [...parameters].filter(([name]) => byName.has(name));
  const rounded: string[] = [];
  for (const [name, parameter] of loaded) {
    const expected = isPacked(parameter)
      ? [parameter.rows, parameter.columns]
      : storedShape(parameter.variable.shape as number[], parameter.layout);
    const { shape: found = [], dtype = 'F32', source: file = source } = byName.get(name) ?? {};
    if (!FLOATING.includes(dtype)) {
      throw new UserError(
        `${file}: tensor "${name}" is of type ${dtype}, but weights are one of ${FLOATING.join(', ')}; ` +
          'convert the file or use another',
      );
    }
    const isBeginning =
      options.mayGrow?.test(name) === true &&
      tf.util.arraysEqual(expected.slice(1), found.slice(1)) &&
      (found[0] ?? 0) < (expected[0] ?? 0);
    if (!tf.util.arraysEqual(expected, [...found]) && !isBeginning) {
      refuseOtherRank(name, file, found, expected);
      throw new UserError(
        `${file}: tensor "${name}" has shape [${found.join(', ')}], the model's config asks for [${expected.join(', ')}]; ` +
          'use the config.json that belongs to these weights',
      );
    }
    if (!isPacked(parameter) || is16Bit(dtype)) continue;
    rounded.push(name);
    if (options.roundPacked !== true) {
      throw new UserError(
        `${file}: tensor "${name}" is stored as ${dtype}, but this model keeps it in 16 bits, which would round it; ` +
          'load the model as f32, ask for rounding, or store the weights as BF16 or F16',
      );
    }
  }
  return { loaded: loaded.map(([name]) => name), missing, unused, rounded };
}

/** An adapter of another rank cannot go on; folded into the weights that it adapts it can be trained from. */
function refuseOtherRank(name: string, file: string, found: readonly number[], expected: readonly number[]): void {
  const side = /\.lora_([AB])\./.exec(name)?.[1];
  if (side === undefined) return;
  const axis = side === 'A' ? 0 : 1;
  const [rank = 0, wanted = 0] = [found[axis], expected[axis]];
  if (found[1 - axis] !== expected[1 - axis] || rank === wanted) return;
  throw new UserError(
    `${file}: tensor "${name}" is of a LoRA of rank ${rank}, the model's config asks for rank ${wanted}. ` +
      `Fold the adapter into its weights first, and start from the merged model: ${gsvaCommand('merge --model FOLDER --out MERGED')}; ` +
      `or set model.lora.r to ${rank}.`,
  );
}

function allParameters(layer: CompositeLayer): Map<string, AnyParameter> {
  return new Map<string, AnyParameter>([...layer.namedParameters(), ...layer.packedParameters()]);
}

function byBareName(tensors: FileTensors): Map<string, FileTensor> {
  return new Map([...tensors].map(([name, tensor]) => [nameInModel(name), tensor]));
}

/** Copies of the parameters in PyTorch's names and layouts; `select` keeps some. Packed ones keep their own type. */
export async function storableWeights(
  layer: CompositeLayer,
  options: {
    readonly dtype?: WeightDtype | undefined;
    readonly select?: (name: string) => boolean;
    readonly prefix?: string;
  } = {},
): Promise<Map<string, TensorToStore>> {
  const { dtype = 'F32', select = () => true, prefix = PUBLISHED_PREFIX } = options;
  const out = new Map<string, TensorToStore>();
  for (const [name, { variable, layout }] of layer.namedParameters()) {
    if (select(name)) out.set(prefix + name, { ...(await toStored(variable.read(), layout)), dtype });
  }
  for (const [name, { matrix }] of layer.packedParameters()) {
    const { rows, columns, dtype } = matrix;
    if (select(name)) out.set(prefix + name, { shape: [rows, columns], data: matrix.bits().slice(), dtype });
  }
  return out;
}

/** A tensor of ours in PyTorch's layout; owned by the caller. */
export function inStoredLayout(value: tf.Tensor, layout: Layout): tf.Tensor {
  return tf.tidy(() => {
    if (layout.kind === 'same') return tf.clone(value);
    if (layout.kind === 'linear') return tf.transpose(value);
    const shape = storedShape(value.shape, layout); // [out, in, kh, kw] or [in, out, kh, kw]
    const [first, second, height, width] = shape as [number, number, number, number];
    return layout.kind === 'conv'
      ? tf.transpose(tf.reshape(value, [height, width, second, first]), [3, 2, 0, 1])
      : tf.transpose(tf.reshape(value, [first, height, width, second]), [0, 3, 1, 2]);
  });
}

/** A tensor of ours in PyTorch's layout, as plain data. */
export async function toStored(
  value: tf.Tensor,
  layout: Layout,
): Promise<{ readonly shape: number[]; readonly data: Float32Array }> {
  const stored = inStoredLayout(value, layout);
  try {
    const data = await stored.data();
    return { shape: stored.shape, data: data instanceof Float32Array ? data.slice() : Float32Array.from(data) };
  } finally {
    stored.dispose();
  }
}

/** A tensor in PyTorch's layout in ours; owned by the caller. `shape` is ours. */
export function fromStored(tensor: StoredTensor, shape: readonly number[], layout: Layout, name: string): tf.Tensor {
  return tf.tidy(() => {
    const stored = tf.tensor(toFloat32(tensor, name), [...tensor.shape]);
    if (layout.kind === 'linear') return tf.transpose(stored);
    // conv: [out, in, kh, kw] → [kh, kw, in, out]; conv-transpose: [in, out, kh, kw] → [in, kh, kw, out]
    if (layout.kind === 'conv') return tf.reshape(tf.transpose(stored, [2, 3, 1, 0]), [...shape]);
    if (layout.kind === 'conv-transpose') return tf.reshape(tf.transpose(stored, [0, 2, 3, 1]), [...shape]);
    return stored;
  });
}

/** Shape in PyTorch's layout of a parameter that has `shape` here. */
export function storedShape(shape: readonly number[], layout: Layout): number[] {
  if (layout.kind === 'same') return [...shape];
  const [first, second] = shape as [number, number];
  if (layout.kind === 'linear') return [second, first];
  const [height, width] = layout.kernel;
  const cells = height * width;
  return layout.kind === 'conv' ? [second, first / cells, height, width] : [first, second / cells, height, width];
}

function assign({ variable, layout }: Parameter, tensor: FileTensor, name: string): void {
  tf.tidy(() => {
    const value = fromStored({ ...tensor, data: tensor.read() }, variable.shape as number[], layout, name);
    const isWhole = tf.util.arraysEqual(value.shape, variable.shape as number[]);
    // The rows that the file holds, then those that the parameter has behind them.
    const axis = layout.kind === 'linear' ? 1 : 0;
    const begin = value.shape.map((size, i) => (i === axis ? size : 0));
    variable.write(isWhole ? value : tf.concat([value, tf.slice(variable.read(), begin)], axis));
  });
}

function assignPacked(parameter: PackedParameter, tensor: FileTensor, name: string): void {
  const { rows, columns, matrix } = parameter;
  const data = tensor.read();
  const isAsStored = is16Bit(tensor.dtype) && data instanceof Uint16Array;
  const bits = isAsStored ? data : roundedToBfloat16(toFloat32({ ...tensor, data }, name), name);
  parameter.matrix = PackedMatrix.create(bits, tensor.dtype === 'F16' ? 'F16' : 'BF16', rows, columns);
  matrix.dispose();
}

function roundedToBfloat16(values: Float32Array, name: string): Uint16Array {
  const lost = firstOverflow(values, 'BF16');
  if (lost < 0) return float32ToBfloat16(values);
  throw new UserError(
    `Reading weights: tensor "${name}" holds ${values[lost]}, which 16 bits (BF16) cannot hold; load the model as f32.`,
  );
}

function isPacked(parameter: AnyParameter): parameter is PackedParameter {
  return 'matrix' in parameter;
}

function is16Bit(dtype: string): boolean {
  return dtype === 'BF16' || dtype === 'F16';
}

function refuse(names: readonly string[], source: string, fault: string, instead: readonly string[] = []): void {
  if (names.length === 0) return;
  const list = (all: readonly string[]): string => {
    const shown = all.slice(0, 3).map((name) => `"${name}"`);
    return `${shown.join(', ')}${all.length > 3 ? ` and ${all.length - 3} more` : ''}`;
  };
  const found = instead.length === 0 ? '' : `, and has ${list(instead)}, which the model has no place for`;
  throw new UserError(`${source} ${fault} ${list(names)}${found}; check that weights and config belong together`);
}

/** The file that should have a tensor: the one with its nearest neighbour. An adapter comes from no other file. */
function fileLacking(name: string, tensors: ReadonlyMap<string, FileTensor>, source: string): string {
  if (name.includes('.lora_')) return source;
  const parts = name.split('.');
  for (let length = parts.length - 1; length > 1; length--) {
    const start = `${parts.slice(0, length).join('.')}.`;
    for (const [other, tensor] of tensors) {
      if (tensor.source !== undefined && other.startsWith(start) && !other.includes('.lora_')) return tensor.source;
    }
  }
  return source;
}
