/** Search for NaN and infinities in a checkpoint, within limited time. */
import { countsText, type NotFiniteTensor, placeText } from '../finite.js';
import type { FileTensors } from './file-tensor.js';
import { byteCount } from './tensor-output.js';
import { storedNotFinite } from './tensor-statistics.js';

/**
 * Scans the smallest tensors first: norms and biases, through which everything passes, are a thousandth of the bytes.
 * @param seconds after which no further tensor is begun
 * @returns what was found; tensors that were read, and their bytes; totals of the checkpoint
 * @throws UserError where a tensor cannot be read
 */
export function scanWeights(
  tensors: FileTensors,
  seconds: number,
): { bad: NotFiniteTensor[]; tensors: number; bytes: number; allTensors: number; allBytes: number } {
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
