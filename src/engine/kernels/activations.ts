/** Kernels of gelu, quickGelu, silu and siluMul, with their gradients. */
import { type VectorKernels, vectorKernels } from '../simd/vector-kernels.js';
import * as tf from '../tf.js';
import { type KernelCall, input, makeFloats, pointer, registerWasmKernel } from '../wasm-heap.js';

/** The functions from one, two or three arrays to an array of the same size. */
type ElementwiseName = Extract<
  keyof VectorKernels,
  'gelu' | 'geluGrad' | 'quickGelu' | 'quickGeluGrad' | 'silu' | 'siluGrad' | 'siluMul' | 'siluMulGradGate'
>;

/** A kernel that runs one elementwise function over its inputs, in the order of `names`. */
function elementwise(kernel: string, name: ElementwiseName, names: readonly string[]): void {
  registerWasmKernel(kernel, (call: KernelCall) => {
    const inputs = names.map((one) => input(call, one));
    const [first] = inputs;
    const shape = first?.shape ?? [];
    const out = makeFloats(call.backend, shape);
    const compute: (...pointersAndCount: number[]) => void = vectorKernels(call.backend)[name];
    compute(...[...inputs, out].map((tensor) => pointer(call.backend, tensor)), tf.util.sizeFromShape(shape));
    return out;
  });
}

function unary(kernel: string, name: 'gelu' | 'quickGelu' | 'silu'): void {
  elementwise(kernel, name, ['x']);
  elementwise(`${kernel}Grad`, `${name}Grad`, ['x', 'dy']);
}

/** Registers the kernels of this file. */
export function registerActivations(): void {
  unary('GsvaGelu', 'gelu');
  unary('GsvaQuickGelu', 'quickGelu');
  unary('GsvaSilu', 'silu');
  elementwise('GsvaSiluMul', 'siluMul', ['gate', 'up']);
  elementwise('GsvaSiluMulGradGate', 'siluMulGradGate', ['gate', 'up', 'dy']);
}
