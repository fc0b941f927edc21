/** Kernels of gelu, quickGelu, silu and siluMul, with their gradients. */
import * as tf from '../tf.js';
import type { KernelCall } from '../wasm-heap.js';
import { floatView, input, makeFloats, registerWasmKernel, run } from '../wasm-heap.js';
import { CDF_CUBICS, CDF_RANGE, CDF_STEPS_PER_UNIT, fastSigmoid } from './fast-math.js';

const QUICK_GELU_FACTOR = 1.702;

/** y = x · Φ(x). */
function gelu(call: KernelCall): tf.TensorInfo {
  const xInfo = input(call, 'x');
  const out = makeFloats(call.backend, xInfo.shape);
  const x = floatView(call.backend, xInfo);
  const y = floatView(call.backend, out);
  const cubics = CDF_CUBICS;
  for (let i = 0; i < x.length; i++) {
    const value = x[i] as number;
    if (value >= CDF_RANGE) y[i] = value;
    else if (value <= -CDF_RANGE) y[i] = 0;
    else {
      const t = (value + CDF_RANGE) * CDF_STEPS_PER_UNIT;
      const interval = t | 0;
      const f = t - interval;
      const c = interval * 4;
      const upper = (cubics[c + 2] as number) + f * (cubics[c + 3] as number);
      y[i] = value * ((cubics[c] as number) + f * ((cubics[c + 1] as number) + f * upper));
    }
  }
  return out;
}

/** dx = dy · (Φ(x) + x · φ(x)). */
function geluGrad(call: KernelCall): tf.TensorInfo {
  const xInfo = input(call, 'x');
  const out = makeFloats(call.backend, xInfo.shape);
  const x = floatView(call.backend, xInfo);
  const dy = floatView(call.backend, input(call, 'dy'));
  const dx = floatView(call.backend, out);
  const cubics = CDF_CUBICS;
  for (let i = 0; i < x.length; i++) {
    const value = x[i] as number;
    if (value >= CDF_RANGE) dx[i] = dy[i] as number;
    else if (value <= -CDF_RANGE) dx[i] = 0;
    else {
      const t = (value + CDF_RANGE) * CDF_STEPS_PER_UNIT;
      const interval = t | 0;
      const f = t - interval;
      const c = interval * 4;
      const c1 = cubics[c + 1] as number;
      const c2 = cubics[c + 2] as number;
      const c3 = cubics[c + 3] as number;
      const cdf = (cubics[c] as number) + f * (c1 + f * (c2 + f * c3));
      const density = (c1 + f * (2 * c2 + f * 3 * c3)) * CDF_STEPS_PER_UNIT;
      dx[i] = (dy[i] as number) * (cdf + value * density);
    }
  }
  return out;
}

/** y = x · sigmoid(factor · x). */
function swish(call: KernelCall, factor: number): tf.TensorInfo {
  const xInfo = input(call, 'x');
  const out = makeFloats(call.backend, xInfo.shape);
  const x = floatView(call.backend, xInfo);
  const y = floatView(call.backend, out);
  for (let i = 0; i < x.length; i++) {
    const value = x[i] as number;
    y[i] = value * fastSigmoid(factor * value);
  }
  return out;
}

/** dx = dy · s · (1 + factor · x · (1 - s)), s = sigmoid(factor · x). */
function swishGrad(call: KernelCall, factor: number): tf.TensorInfo {
  const xInfo = input(call, 'x');
  const out = makeFloats(call.backend, xInfo.shape);
  const x = floatView(call.backend, xInfo);
  const dy = floatView(call.backend, input(call, 'dy'));
  const dx = floatView(call.backend, out);
  for (let i = 0; i < x.length; i++) {
    const z = factor * (x[i] as number);
    const s = fastSigmoid(z);
    dx[i] = (dy[i] as number) * s * (1 + z * (1 - s));
  }
  return out;
}

/** y = silu(gate) · up; also the gradient to `up`, with dy in its place. */
function siluMul(call: KernelCall): tf.TensorInfo {
  const gateInfo = input(call, 'gate');
  const out = makeFloats(call.backend, gateInfo.shape);
  const gate = floatView(call.backend, gateInfo);
  const up = floatView(call.backend, input(call, 'up'));
  const y = floatView(call.backend, out);
  for (let i = 0; i < gate.length; i++) {
    const value = gate[i] as number;
    y[i] = value * fastSigmoid(value) * (up[i] as number);
  }
  return out;
}

/** dgate = dy · up · silu'(gate). */
function siluMulGradGate(call: KernelCall): tf.TensorInfo {
  const gateInfo = input(call, 'gate');
  const out = makeFloats(call.backend, gateInfo.shape);
  const gate = floatView(call.backend, gateInfo);
  const up = floatView(call.backend, input(call, 'up'));
  const dy = floatView(call.backend, input(call, 'dy'));
  const dgate = floatView(call.backend, out);
  for (let i = 0; i < gate.length; i++) {
    const value = gate[i] as number;
    const s = fastSigmoid(value);
    dgate[i] = (dy[i] as number) * (up[i] as number) * s * (1 + value * (1 - s));
  }
  return out;
}

function registerUnary(name: string, forward: (call: KernelCall) => tf.TensorInfo, grad: typeof forward): void {
  registerWasmKernel(name, forward);
  registerWasmKernel(`${name}Grad`, grad);
  tf.registerGradient({
    kernelName: name,
    inputsToSave: ['x'],
    gradFunc: (dy, saved) => ({ x: () => run(`${name}Grad`, { dy: dy as tf.Tensor, x: saved[0] as tf.Tensor }) }),
  });
}

/** Registers the kernels and gradients of this file. */
export function registerActivations(): void {
  registerUnary('GsvaGelu', gelu, geluGrad);
  registerUnary(
    'GsvaQuickGelu',
    (call) => swish(call, QUICK_GELU_FACTOR),
    (call) => swishGrad(call, QUICK_GELU_FACTOR),
  );
  registerUnary(
    'GsvaSilu',
    (call) => swish(call, 1),
    (call) => swishGrad(call, 1),
  );
  registerWasmKernel('GsvaSiluMul', siluMul);
  registerWasmKernel('GsvaSiluMulGradGate', siluMulGradGate);
  tf.registerGradient({
    kernelName: 'GsvaSiluMul',
    inputsToSave: ['gate', 'up'],
    gradFunc: (dyOrDys, saved) => {
      const dy = dyOrDys as tf.Tensor;
      const [gate, up] = saved as [tf.Tensor, tf.Tensor];
      return {
        gate: () => run('GsvaSiluMulGradGate', { dy, gate, up }),
        up: () => run('GsvaSiluMul', { gate, up: dy }),
      };
    },
  });
}
