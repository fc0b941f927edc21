/** Whether a model's large matrices are kept in float32 or in the 16 bits that they are stored in. */
import { tensorMemory } from '../engine/tensor-memory.js';
import type { FileTensors } from '../io/file-tensor.js';
import type { CompositeLayer } from '../nn/composite-layer.js';
import { nameInModel } from './weights.js';

/**
 * - 'f32': all weights are float32: the fastest, and the only way to train all of them.
 * - 'packed': large matrices stay in 16 bits (those that are stored in F32 are rounded to BF16) and are widened while
 *   they are computed with. Half the memory, and on WASM engines none of the heap's 4 GiB.
 * - 'auto': 'f32' where that fits into memory, else what is stored in 16 bits stays so. Nothing is ever rounded.
 */
export type Precision = 'auto' | 'f32' | 'packed';

/** Smaller matrices are not worth the widening; how many numbers they have. */
export const SMALLEST_PACKED = 2 ** 16;
/** Share of the memory that weights may take; the rest is for activations. */
const SHARE = 2 / 3;
const FLOAT_BYTES = 4;

/** Names of the tensors of a file that are packed. @param room bytes that an engine's tensors can have */
export function tensorsToPack(tensors: FileTensors, precision: Precision, room = tensorMemory()): ReadonlySet<string> {
  const sized = [...tensors].map(([name, { dtype, shape }]) => {
    return { name: nameInModel(name), dtype, size: shape.reduce((product, length) => product * length, 1) };
  });
  const bytes = FLOAT_BYTES * sized.reduce((sum, { size }) => sum + size, 0);
  if (precision === 'f32' || (precision === 'auto' && bytes <= SHARE * room)) return new Set();
  const chosen = sized.filter(({ dtype, size }) => {
    return size >= SMALLEST_PACKED && (precision === 'packed' || dtype === 'BF16' || dtype === 'F16');
  });
  return new Set(chosen.map(({ name }) => name));
}

/** Bytes of a model's packed matrices; as float32 they would be twice as many. */
export function packedBytes(layer: CompositeLayer): number {
  return [...layer.packedParameters().values()].reduce((sum, { matrix }) => sum + matrix.bytes, 0);
}
