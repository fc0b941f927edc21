/** Statistics of a tensor's numbers, which reveal an untrained or diverged part; search for NaN and infinities. */
import { countsText, findNotFinite, type NotFinite, type NotFiniteTensor, placeText } from '../finite.js';
import type { FileTensors, StoredTensor, TensorData } from './file-tensor.js';
import { bfloat16ToFloat32, halfToFloat32 } from '../half-float.js';
import type { Dtype } from './safetensors/safetensors-header.js';
import { byteCount } from './tensor-output.js';

/** Statistics of the finite numbers; null where there are none. */
export interface TensorStatistics {
  readonly min: number | null;
  readonly max: number | null;
  readonly mean: number | null;
  /** Standard deviation of these numbers, divided by their count. */
  readonly deviation: number | null;
  readonly nan: number;
  readonly infinite: number;
  readonly zeros: number;
}

/** Numbers of a stored tensor that are not finite; null where all are, as whole numbers always are. */
export function storedNotFinite({ data, dtype }: Pick<StoredTensor, 'data' | 'dtype'>): NotFinite | null {
  if (!(dtype === 'F16' || dtype === 'BF16' || dtype === 'F32' || dtype === 'F64')) return null;
  let [nan, infinite, first] = [0, 0, -1];
  const scratch = scratchFor(data);
  for (let start = 0; start < data.length; start += BLOCK) {
    const floats = asFloats(data.subarray(start, start + BLOCK), dtype, scratch);
    // Only whether they are finite matters: a double may be too large for a float32.
    const narrow =
      floats instanceof Float32Array ? floats : Float32Array.from(floats, (x) => (Number.isFinite(x) ? 0 : x));
    const found = findNotFinite(narrow);
    if (found === null) continue;
    nan += found.nan;
    infinite += found.infinite;
    if (first < 0) first = start + found.first;
  }
  return first < 0 ? null : { nan, infinite, first, size: data.length };
}

/**
 * Scans the smallest tensors first: norms and biases, through which everything passes, are a thousandth of the bytes.
 * @param seconds after which no further tensor is begun
 * @returns what was found; tensors that were read, and their bytes; totals of the checkpoint
 * @throws UserError where a tensor cannot be read
 */
export function scanWeights(tensors: FileTensors, seconds: number) {
  const sized = [...tensors].map(([name, tensor]) => ({ name, tensor, bytes: byteCount(tensor) }));
  sized.sort((a, b) => a.bytes - b.bytes);
  const end = performance.now() + 1000 * seconds;
  const bad: NotFiniteTensor[] = [];
  let [read, bytes] = [0, 0];
  for (const { name, tensor, bytes: size } of sized) {
    if (read > 0 && performance.now() > end) break;
    const found = storedNotFinite({ dtype: tensor.dtype, data: tensor.read() });
    if (found !== null) bad.push({ name, shape: tensor.shape, found });
    read++;
    bytes += size;
  }
  const allBytes = sized.reduce((sum, one) => sum + one.bytes, 0);
  return { bad, tensors: read, bytes, allTensors: sized.length, allBytes };
}

/** "model.norm.weight holds 1 NaN of 32 numbers, at [3]". */
export function notFiniteText({ name, shape, found }: NotFiniteTensor): string {
  const isOne = found.nan + found.infinite === 1;
  const place = `${isOne ? 'at' : 'the first at'} ${placeText(found.first, shape)}`;
  return `${name} holds ${countsText(found)} of ${found.size} numbers, ${place}`;
}

type Floats = Float32Array | Float64Array;

/** Numbers that are read twice in a row, while they are in the processor's cache. */
const BLOCK = 2 ** 14;

/**
 * Mean and squared deviations of blocks, joined by the formula of Chan, Golub and LeVeque: nothing cancels out. 64-bit
 * integers are rounded to the nearest double.
 */
export function tensorStatistics({ data, dtype }: StoredTensor): TensorStatistics {
  let [min, max, count, mean, squares] = [Infinity, -Infinity, 0, 0, 0];
  let [nan, infinite, zeros] = [0, 0, 0];
  const scratch = scratchFor(data);
  for (let start = 0; start < data.length; start += BLOCK) {
    const values = asFloats(data.subarray(start, start + BLOCK), dtype, scratch);
    let [sum, finite] = [0, 0];
    for (let i = 0; i < values.length; i++) {
      const value = values[i] as number;
      // NaN for infinities and NaN.
      if (value - value !== 0) {
        if (value !== value) nan++;
        else infinite++;
        continue;
      }
      if (value < min) min = value;
      if (value > max) max = value;
      if (value === 0) zeros++;
      sum += value;
      finite++;
    }
    if (finite === 0) continue;
    const all = count + finite;
    const difference = sum / finite - mean;
    squares += squaredDeviations(values, sum / finite) + difference * difference * ((count * finite) / all);
    mean += difference * (finite / all);
    count = all;
  }
  if (count === 0) return { min: null, max: null, mean: null, deviation: null, nan, infinite, zeros };
  return { min, max, mean, deviation: Math.sqrt(squares / count), nan, infinite, zeros };
}

function squaredDeviations(values: Floats, mean: number): number {
  let squares = 0;
  for (let i = 0; i < values.length; i++) {
    const deviation = (values[i] as number) - mean;
    if (deviation - deviation === 0) squares += deviation * deviation;
  }
  return squares;
}

function scratchFor(data: TensorData): Floats {
  return data instanceof Uint16Array ? new Float32Array(BLOCK) : new Float64Array(BLOCK);
}

function asFloats(part: TensorData, dtype: Dtype, scratch: Floats): Floats {
  if (part instanceof Float32Array || part instanceof Float64Array) return part;
  const out = scratch.subarray(0, part.length);
  if (part instanceof Uint16Array && out instanceof Float32Array && dtype !== 'U16') {
    return dtype === 'F16' ? halfToFloat32(part, out) : bfloat16ToFloat32(part, out);
  }
  for (let i = 0; i < part.length; i++) out[i] = Number(part[i]);
  return out;
}
