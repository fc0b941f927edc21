import { registerFusedGradients } from '../fused-gradients.js';
import { registerWasmKernel } from '../wasm-heap.js';
import { registerLinear } from './linear.js';
import { registerLosses } from './losses.js';
import { type MatMulEngine, batchMatMulKernel } from './matmul.js';
import { registerMissing, registerSharing } from './missing.js';
import { registerRowSums } from './row-sums.js';
import { registerPackedLinear } from './packed-linear.js';
import { registerRows } from './rows.js';

/** May be called again with another engine. */
export function registerKernels(engine: MatMulEngine): void {
  registerWasmKernel('BatchMatMul', batchMatMulKernel(engine));
  registerLinear(engine);
  registerPackedLinear(engine);
  registerMissing(engine);
  registerRowSums();
  registerLosses();
  registerRows();
  registerSharing();
  registerFusedGradients();
}
