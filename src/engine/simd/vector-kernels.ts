/**
 * The vector kernels: one WebAssembly module, written at start-up by `simd/`, that shares the memory of tfjs's WASM
 * backend. Pointers are byte offsets on the heap. Loops in JavaScript over the same memory are 4 to 10 times slower.
 */
import { UserError } from '../../errors.js';
import type { WasmBackend } from '../wasm-heap.js';
import { elementwiseFunctions } from './elementwise.js';
import { maskLossFunctions } from './mask-loss.js';
import { packedFunctions } from './packed.js';
import { rowFunctions } from './rows.js';
import { encodeModule } from './wasm-function.js';
import { reinstallCommand } from '../../program.js';

type Unary = (x: number, y: number, count: number) => void;
type Binary = (a: number, b: number, y: number, count: number) => void;

/** The numbers of an AdamW update, in the order of its definition. */
type AdamWFactors = [
  ...[gradientScale: number, beta1: number, beta2: number, eps: number],
  ...[stepSize: number, secondCorrection: number, decay: number],
];

type Widen = (source: number, target: number, rounds: number) => void;
type Dot = (matrix: number, x: number, y: number, rows: number, rounds: number) => void;

/** What each function does stands at its definition (elementwise.ts, rows.ts, mask-loss.ts, packed.ts). */
export interface VectorKernels {
  readonly gelu: Unary;
  readonly geluGrad: Binary;
  readonly quickGelu: Unary;
  readonly quickGeluGrad: Binary;
  readonly silu: Unary;
  readonly siluGrad: Binary;
  readonly siluMul: Binary;
  readonly siluMulGradGate: (gate: number, up: number, dy: number, dgate: number, count: number) => void;
  readonly accumulate: (dst: number, src: number, scale: number, count: number) => void;
  readonly sumOfSquares: (x: number, count: number) => number;
  readonly adamW: (
    ...pointers: [p: number, m: number, v: number, gradient: number, count: number, ...factors: AdamWFactors]
  ) => void;
  readonly layerNorm: (
    x: number,
    gamma: number,
    beta: number,
    y: number,
    rows: number,
    width: number,
    eps: number,
  ) => void;
  readonly layerNormGradX: (
    x: number,
    gamma: number,
    dy: number,
    dx: number,
    rows: number,
    width: number,
    eps: number,
  ) => void;
  readonly layerNormGradGamma: (x: number, dy: number, sums: number, rows: number, width: number, eps: number) => void;
  readonly rmsNorm: (x: number, gamma: number, y: number, rows: number, width: number, eps: number) => void;
  readonly rmsNormGradX: (
    x: number,
    gamma: number,
    dy: number,
    dx: number,
    rows: number,
    width: number,
    eps: number,
  ) => void;
  readonly rmsNormGradGamma: (x: number, dy: number, sums: number, rows: number, width: number, eps: number) => void;
  readonly addRow: (matrix: number, row: number, rows: number, width: number) => void;
  readonly columnSum: (matrix: number, sums: number, rows: number, width: number) => void;
  readonly softmaxRow: (x: number, y: number, width: number, scale: number) => void;
  readonly softmaxGrad: (y: number, dy: number, dx: number, rows: number, width: number, scale: number) => void;
  readonly largest: (x: number, width: number) => number;
  readonly sumOfExp: (x: number, width: number, shift: number) => number;
  readonly scaledExp: (x: number, y: number, width: number, shift: number, factor: number) => void;
  readonly rotaryRow: (
    x: number,
    cos: number,
    sinFirst: number,
    sinSecond: number,
    y: number,
    half: number,
    sign: number,
  ) => void;
  readonly maskLossSums: (x: number, g: number, count: number, sums: number) => void;
  readonly maskLossGrad: (
    x: number,
    g: number,
    dx: number,
    count: number,
    bceFactor: number,
    diceFactor: number,
    ratio: number,
  ) => void;
  readonly widenBfloat16: Widen;
  readonly widenHalf: Widen;
  readonly dotBfloat16: Dot;
  readonly dotHalf: Dot;
}

const instances = new WeakMap<WasmBackend, VectorKernels>();

/** The kernels on a backend's memory. */
export function vectorKernels(backend: WasmBackend): VectorKernels {
  let kernels = instances.get(backend);
  if (kernels === undefined) {
    const memory = Object.values(backend.wasm.asm).find((value) => value instanceof WebAssembly.Memory);
    if (memory === undefined) {
      throw new UserError(
        'The memory of the WASM backend was not found: @tensorflow/tfjs-backend-wasm 4.22 is needed ' +
          `(run ${reinstallCommand()}).`,
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
