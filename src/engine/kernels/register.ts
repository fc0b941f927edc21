/** All kernels that this project puts on the WASM backend. */
import { registerFusedGradients } from '../fused-gradients.js';
import { registerWasmKernel } from '../wasm-heap.js';
import { registerActivations } from './activations.js';
import { registerLinear } from './linear.js';
import { registerLosses } from './losses.js';
import { registerMaskedSoftmax } from './masked-softmax.js';
import { type MatMulEngine, batchMatMulKernel } from './matmul.js';
import { registerMissing } from './missing.js';
import { registerNorms } from './norms.js';
import { registerPackedLinear } from './packed-linear.js';
import { registerRotary } from './rotary.js';
import { registerSharing } from './sharing.js';

/** Registers them over the engine that does the matrix products. May be called again with another one. */
export function registerKernels(engine: MatMulEngine): void {
  registerWasmKernel('BatchMatMul', batchMatMulKernel(engine));
  registerLinear(engine);
  registerPackedLinear(engine);
  registerMissing(engine);
  registerActivations();
  registerNorms();
  registerMaskedSoftmax();
  registerLosses();
  registerRotary();
  registerSharing();
  registerFusedGradients();
}
