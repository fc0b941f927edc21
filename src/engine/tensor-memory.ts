/** Memory for tensors on the engine in use. */
import { machineMemory } from '../machine.js';
import * as tf from './tf.js';

/** Addresses of WebAssembly have 32 bits. */
const LARGEST_HEAP = 2 ** 32;

/** Bytes available to tensors; a graphics card's memory is unknown, so the machine's counts there. */
export function tensorMemory(): number {
  const { available } = machineMemory();
  return tf.getBackend() === 'wasm' ? Math.min(LARGEST_HEAP, available) : available;
}
