/** What is said of a model whose large matrices are kept in 16 bits. */
import { bytesText } from '../machine.js';

export function packedNote(bytes: number): string {
  return `weights: ${bytesText(bytes)} in 16 bits, widened while they are computed with`;
}
