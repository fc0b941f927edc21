/** The one import of TensorFlow.js: the engine can be exchanged without a second copy of tfjs-core in the process. */
export * from '@tensorflow/tfjs-core';
export { initializers, layers } from '@tensorflow/tfjs-layers';
