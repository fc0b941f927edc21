/** Kernels that the WebGPU backend lacks or computes wrongly, composed of others. */

/** Registers them; may be called again. */
export function registerWebGpuKernels(): void {
  // none yet
}
