import { registerFusedGradients } from '../fused-gradients.js';
import { KernelCall, replaceKernel } from '../wasm-heap.js';
import { LINEAR_KERNELS } from './linear.js';
import { LOSS_KERNELS } from './losses.js';
import type { MatMulEngine } from './matmul.js';
import { MISSING_KERNELS } from './missing.js';
import { registerPackedLinear } from './packed-linear.js';
import { ROW_KERNELS } from './rows.js';

/** May be called again with another engine. */
export function registerKernels(engine: MatMulEngine): void {
  const kernels = { ...LINEAR_KERNELS, ...MISSING_KERNELS, ...LOSS_KERNELS, ...ROW_KERNELS };
  for (const [name, kernel] of Object.entries(kernels)) {
    replaceKernel(name, 'wasm', (call) => kernel(new KernelCall(call), engine));
  }
  registerPackedLinear(engine);
  registerFusedGradients();
}
