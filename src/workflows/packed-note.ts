/** Notes on models whose large matrices are kept in 16 bits. */
import { bytesText } from '../machine.js';
import { packedBytes } from '../checkpoints/precision.js';
import type { Experiment } from '../training/config/build-experiment.js';

export function packedNote(bytes: number): string {
  return `weights: ${bytesText(bytes)} kept in 16 bits, converted to float32 block by block`;
}

/** Bytes of the frozen weights that a training run holds in 16 bits, and whether that rounded them. */
export function frozenNote({ network, config, rounded }: Experiment): string {
  const held = `frozen ${packedNote(packedBytes(network))}`;
  if (rounded.length === 0) return held;
  return (
    `${held}; ${config.start ?? ''} has ${rounded.length} of these matrices in more than 16 bits: they are rounded to ` +
    'BF16, and so are those of the checkpoints that this run writes'
  );
}
