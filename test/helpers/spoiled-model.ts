/** Copies of model folders in which one number of one weight is none. */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { openCheckpoint } from '../../src/io/checkpoint-files.js';
import { writeSafetensors } from '../../src/io/safetensors/safetensors-writer.js';

/**
 * @param name of the weight, without peft's prefix
 * @param at place of the number, as it is stored
 */
export function spoiledModel(from: string, to: string, name: string, value: number, at = 3): string {
  cpSync(from, to, { recursive: true });
  const tensors = [...openCheckpoint(join(from, 'model.safetensors')).tensors].map(([stored, tensor]) => {
    const read = (): Float32Array => {
      const data = (tensor.read() as Float32Array).slice();
      if (stored.endsWith(name)) data[at] = value;
      return data;
    };
    return { name: stored, dtype: tensor.dtype, shape: tensor.shape, read };
  });
  if (!tensors.some((tensor) => tensor.name.endsWith(name))) throw new Error(`${from} has no ${name}`);
  writeSafetensors(join(to, 'model.safetensors'), tensors, { format: 'pt' });
  return to;
}
