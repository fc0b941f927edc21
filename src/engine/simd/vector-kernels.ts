/**
 * The vector kernels: one WebAssembly module, generated at start-up by `simd/`, on the memory of tfjs's WASM backend.
 * Pointers are byte offsets on the heap. JavaScript loops over the same memory are 4 to 10 times slower.
 */
import { UserError } from '../../errors.js';
import type { WasmBackend } from '../wasm-heap.js';
import { elementwiseFunctions, maskLossFunctions } from './elementwise.js';
import { packedFunctions } from './packed.js';
import { rowFunctions } from './rows.js';
import { encodeModule } from './wasm-function.js';

type Words<Text extends string> = Text extends `${infer First} ${infer Rest}` ? First | Words<Rest> : Text;

type KernelName =
  | Words<'gelu geluGrad quickGelu quickGeluGrad silu siluGrad siluMul siluMulGradGate accumulate sumOfSquares adamW'>
  | Words<'layerNorm layerNormGradX layerNormGradGamma rmsNorm rmsNormGradX rmsNormGradGamma addRow columnSum'>
  | Words<'softmaxRow softmaxGrad largest sumOfExp scaledExp rotaryRow maskLossSums maskLossGrad'>
  | Words<'widenBfloat16 widenHalf dotBfloat16 dotHalf'>;

/** Pointers, counts and factors in the order of each function's definition; the result is undefined but for sums. */
export type VectorKernels = Readonly<Record<KernelName, (...values: number[]) => number>>;

const instances = new WeakMap<WasmBackend, VectorKernels>();

/** The kernels on a backend's memory. */
export function vectorKernels(backend: WasmBackend): VectorKernels {
  let kernels = instances.get(backend);
  if (kernels === undefined) {
    const memory = Object.values(backend.wasm.asm).find((value) => value instanceof WebAssembly.Memory);
    if (memory === undefined) {
      throw new UserError(
        'The memory of the WASM backend was not found: @tensorflow/tfjs-backend-wasm 4.22 is needed ' +
          '(install the dependencies again).',
      );
    }
    const functions = [...elementwiseFunctions(), ...rowFunctions(), ...maskLossFunctions(), ...packedFunctions()];
    const compiled = new WebAssembly.Module(encodeModule(functions));
    const instance = new WebAssembly.Instance(compiled, { host: { memory } });
    kernels = instance.exports as unknown as VectorKernels;
    instances.set(backend, kernels);
  }
  return kernels;
}
