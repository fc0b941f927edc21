/**
 * The one place where TensorFlow.js is imported.
 *
 * Everything else writes `import * as tf from './tf.js'`, so that the engine below can be exchanged
 * (WASM, OpenBLAS on WASM, later tensorflow and WebGPU) without a second copy of tfjs-core in the process.
 */
export * from '@tensorflow/tfjs-core';
export { initializers, layers } from '@tensorflow/tfjs-layers';
