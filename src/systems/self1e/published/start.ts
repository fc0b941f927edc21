/** A base InternVL3 as a start model of SELF1E: rows for the two added tokens, and the three projections. */
import { UserError } from '../../../errors.js';
import { type FileTensor, toFloat32 } from '../../../io/file-tensor.js';
import { converted, type WeightDtype } from '../../../io/tensor-output.js';
import { Random } from '../../../random.js';
import type { PublishedTensors } from '../../shared/published/names.js';
import { EMBEDDING, HEAD, PROJECTIONS } from './names.js';

const DEVIATION = 0.02;
const SEED = 42;

/** Ids of the added tokens, and the tokens of the tokenizer with them. */
export interface AddedIds {
  readonly seg: number;
  readonly segt: number;
  readonly size: number;
}

/**
 * Gives the tables rows for [SEG] and [SEGT] where they end before them: the mean of the rows before [SEG].
 * @throws UserError for a vocabulary of another size than the tokenizer's
 */
export function growVocabulary(
  tensors: Map<string, FileTensor>,
  { seg, segt, size }: AddedIds,
  source: string,
): PublishedTensors['grown'] {
  const tables = [EMBEDDING, HEAD].map((name) => ({ name, tensor: tensors.get(name) }));
  const grown: { name: string; from: number; to: number }[] = [];
  for (const { name, tensor } of tables) {
    if (tensor === undefined) throw new UserError(`${source} lacks "${name}". Use the whole checkpoint.`);
    const [rows = 0] = tensor.shape;
    if (rows === size) continue;
    if (rows !== Math.min(seg, segt) && rows !== seg + 1) {
      throw new UserError(
        `${source}: "${name}" has ${rows} rows, but its tokenizer has ${size} tokens with [SEG] (${seg}) and [SEGT] ` +
          `(${segt}); expected ${size} rows, or ${Math.min(seg, segt)} for a base InternVL3. Use the tokenizer files that ` +
          'belong to these weights.',
      );
    }
    tensors.set(name, withMeanRows(tensor, size, Math.min(rows, seg), name));
    grown.push({ name, from: rows, to: size });
  }
  return grown;
}

/** The table [rows, D] with further rows, each the mean of the first `old`, in the type of the table. */
function withMeanRows(tensor: FileTensor, rows: number, old: number, name: string): FileTensor {
  const [present = 0, width = 0] = tensor.shape;
  const read = (): Float32Array => {
    const table = new Float32Array(rows * width);
    table.set(toFloat32({ ...tensor, data: tensor.read() }, name));
    const mean = new Float64Array(width);
    for (let i = 0; i < old * width; i++) mean[i % width] = (mean[i % width] as number) + (table[i] as number) / old;
    for (let row = present; row < rows; row++) table.set(mean, row * width);
    return table;
  };
  const whole: FileTensor = { ...tensor, dtype: 'F32', shape: [rows, width], read };
  return tensor.dtype === 'F64' ? whole : converted(whole, tensor.dtype as WeightDtype, name);
}

/**
 * Draws the projections from N(0, 0.02), their biases 0, where a checkpoint has none.
 * @param isTrained whether its vocabulary has [SEG] already
 * @returns names of what was drawn
 * @throws UserError for a checkpoint that has some of them, or that has [SEG] without them
 */
export function drawProjections(
  tensors: Map<string, FileTensor>,
  width: number,
  isTrained: boolean,
  source: string,
): readonly string[] {
  const shapes = PROJECTIONS.flatMap((name) => shapesOf(name, width));
  const lacking = shapes.filter(({ name }) => !tensors.has(name));
  if (lacking.length === 0) return [];
  if (lacking.length < shapes.length || isTrained) {
    const what = isTrained ? 'its vocabulary has [SEG], and so it' : 'it has some of the projections, and so it';
    throw new UserError(
      `${source}: ${what} should have the ${shapes.length} tensors of ${PROJECTIONS.join(', ')}; found ` +
        `${shapes.length - lacking.length}, "${lacking[0]?.name ?? ''}" is missing. Use a whole checkpoint of SELF1E, or a ` +
        'base InternVL3.',
    );
  }
  const random = new Random(SEED);
  for (const [index, { name, shape }] of shapes.entries()) {
    const numbers = shape.reduce((product, size) => product * size, 1);
    const draw = (): Float32Array => {
      const own = random.fork(index);
      return Float32Array.from({ length: numbers }, () => own.normal() * DEVIATION);
    };
    const read = shape.length === 1 ? () => new Float32Array(numbers) : draw;
    tensors.set(name, { dtype: 'F32', shape, read });
  }
  return shapes.map(({ name }) => name);
}

function shapesOf(name: string, width: number): { readonly name: string; readonly shape: readonly number[] }[] {
  const outputs = name === 'combine_decode_proj' ? width : 4 * width;
  return [
    { name: `${name}.0.weight`, shape: [width, width] },
    { name: `${name}.0.bias`, shape: [width] },
    { name: `${name}.2.weight`, shape: [outputs, width] },
    { name: `${name}.2.bias`, shape: [outputs] },
  ];
}
