/** How much the engine in use can have in tensors. */
import { machineMemory } from '../machine.js';
import * as tf from './tf.js';

/** Addresses of WebAssembly have 32 bits. */
const LARGEST_HEAP = 2 ** 32;

/** Bytes. Of a graphics card's memory nothing is known; there the machine's counts. */
export function tensorMemory(): number {
  const { available } = machineMemory();
  return tf.getBackend() === 'wasm' ? Math.min(LARGEST_HEAP, available) : available;
}
