/**
 * Choice and start of the TensorFlow.js backend. `tensorflow` is TensorFlow itself, on a CUDA GPU or the CPU, as `gsva
 * setup tensorflow` installed it; `webgpu` is any graphics card. tfjs's WASM backend works everywhere, with matrix
 * products by a BLAS library (`openblas`) or without one (`wasm`). `cpu` is tfjs's JavaScript backend, slow and exact,
 * for comparison.
 */
import { availableParallelism, cpus } from 'node:os';
import { UsageError, UserError, messageOf } from '../errors.js';
import { loadBlas } from './blas.js';
import { type DeviceChoice, deviceName, parseDevice } from './device.js';
import { registerCompositeKernels } from './composite-kernels.js';
import { blasMatMul, plainMatMul } from './kernels/matmul-engines.js';
import { registerKernels } from './kernels/register.js';
import { PACKED_FORMULAS, registerPackedKernels } from './packed-kernels.js';
import { startFastest } from './selection.js';
import { startTensorflow } from './tensorflow-engine.js';
import { findInstallation } from './tensorflow-installation.js';
import * as tf from './tf.js';
import { hasRealGpu } from './webgpu-device.js';
import { startWebGpu } from './webgpu-engine.js';
import { gsvaCommand } from '../program.js';

export type EngineName = 'tensorflow' | 'webgpu' | 'openblas' | 'wasm' | 'cpu';

export interface EngineOptions {
  /**
   * 'auto' (default; or the environment's GSVA_ENGINE): the first present of tensorflow on a GPU, webgpu on a hardware
   * GPU, tensorflow on the CPU, openblas, wasm.
   */
  readonly engine?: string;
  /** Threads of the matrix products; default: all processors. */
  readonly threads?: number;
  /** 'cpu', 'gpu', 'gpu:1' (the default: the environment's GSVA_DEVICE, else a GPU before the CPU). */
  readonly device?: string;
}

export interface EngineInfo {
  readonly name: EngineName;
  /** Threads of the matrix products; everything else runs in one. 0 where the processor does not compute. */
  readonly threads: number;
  /** The name of the processor, or of the GPU where one computes. */
  readonly device: string;
  /** The library of the matrix products, and its kernels; null without one. */
  readonly blas: string | null;
  /** One line for the user, or null. */
  readonly notice: string | null;
}

/** `device` is omitted for the processor. */
type Started = Omit<EngineInfo, 'device'> & { readonly device?: string };
type Starter = (threads: number, device: DeviceChoice) => Promise<Started>;

const ENGINES: Readonly<Record<string, Starter>> = {
  auto: (threads, device) =>
    startFastest<Started>(device, {
      tensorflow: () => {
        const installation = findInstallation();
        return installation === null ? null : installation.gpu ? 'gpu' : 'cpu';
      },
      hasRealGpu,
      startTensorflow: () => startTensorflow(threads, device),
      startWebGpu: startWebGpuEngine,
      startOpenBlas: () => tryOpenBlas(threads),
      startWasm: () => startPlainWasm(true),
    }),
  tensorflow: startTensorflow,
  /** WebGPU offers one graphics card, the fastest, and no processor. */
  webgpu: async (_, device) => {
    if (device === null || (device.kind === 'gpu' && device.index === 0)) return startWebGpuEngine();
    throw new UserError(
      `Starting the engine webgpu on ${deviceName(device)}: it computes on the fastest graphics card only. ` +
        'Leave --device out, or choose another --engine.',
    );
  },
  openblas: onCpu('openblas', async (threads) => {
    const started = await tryOpenBlas(threads);
    if (started !== null) return started;
    throw new UserError(
      'Starting the engine openblas: no BLAS library was found. Install one (Debian, Ubuntu: `apt-get install ' +
        'libopenblas0-pthread`), name its path in GSVA_BLAS, or choose --engine wasm.',
    );
  }),
  wasm: onCpu('wasm', () => startPlainWasm(false)),
  cpu: onCpu('cpu', startCpu),
};

/** Refuses a GPU that the engine cannot use, instead of computing slowly. */
function onCpu(name: string, start: (threads: number) => Promise<Started>): Starter {
  return async (threads, device) => {
    if (device?.kind !== 'gpu') return start(threads);
    throw new UserError(
      `Starting the engine ${name} on ${deviceName(device)}: it computes on the CPU only. ` +
        `Choose --engine tensorflow (set up by \`${gsvaCommand('setup tensorflow --gpu')}\`), or --device cpu.`,
    );
  };
}

/** The last start; `backend` is null until it runs. */
let current: { readonly key: string; readonly info: Promise<EngineInfo>; backend: string | null } | null = null;

/**
 * Starts the engine and makes it TensorFlow.js's backend. Idempotent for equal options; otherwise switches the backend
 * (tensors of the old one stay readable).
 * @throws UsageError for an unknown engine, device or thread count; UserError when the engine cannot be started
 */
export async function startEngine(options: EngineOptions = {}): Promise<EngineInfo> {
  const { choice, threads, device, start } = checkEngineOptions(options);
  const key = `${choice} ${threads} ${device === null ? '' : deviceName(device)}`;
  // A dry run may have taken the backend's place.
  const isReplaced = (current?.backend ?? tf.getBackend()) !== tf.getBackend();
  if (current?.key !== key || isReplaced) {
    const processor = cpus()[0]?.model.trim() ?? 'unknown CPU';
    const info = start(threads, device).then((started) => ({ ...started, device: started.device ?? processor }));
    const begun: typeof current = { key, info, backend: null };
    current = begun;
    info.then(
      () => void (begun.backend = tf.getBackend()),
      () => void (current = null), // another attempt starts afresh
    );
  }
  return current.info;
}

/** Checks the options without starting. @throws UsageError for an unknown engine, device or thread count */
export function checkEngineOptions(options: EngineOptions) {
  const named = process.env.GSVA_ENGINE ?? '';
  const choice = options.engine ?? (named === '' ? 'auto' : named);
  const threads = options.threads ?? availableParallelism();
  const start = Object.hasOwn(ENGINES, choice) ? ENGINES[choice] : undefined;
  if (start === undefined) {
    const choices = Object.keys(ENGINES).join(', ');
    throw new UsageError(`Unknown engine '${choice}'. Choose one of: ${choices} (--engine, or GSVA_ENGINE).`);
  }
  const device = parseDevice(options.device ?? process.env.GSVA_DEVICE);
  if (!Number.isInteger(threads) || threads < 1 || threads > 1024) {
    throw new UsageError(`The number of threads must be an integer from 1 to 1024, not ${threads}.`);
  }
  return { choice, start, threads, device };
}

/** "openblas: 2 threads, OpenBLAS 0.3.21 (SkylakeX), AMD EPYC". */
export function describeEngine(info: EngineInfo): string {
  const threads = info.threads === 0 ? [] : [`${info.threads} thread${info.threads === 1 ? '' : 's'}`];
  return `${info.name}: ${[...threads, ...(info.blas === null ? [] : [info.blas]), info.device].join(', ')}`;
}

async function tryOpenBlas(threads: number): Promise<Started | null> {
  const blas = await loadBlas(threads);
  if (blas === null) return null;
  await useWasm();
  registerKernels(blasMatMul(blas));
  return { name: 'openblas', threads: blas.threads, blas: blas.description, notice: null };
}

async function startPlainWasm(wantedBlas: boolean): Promise<Started> {
  await useWasm();
  registerKernels(plainMatMul);
  // One thread of OpenBLAS is about three times as fast as the WASM kernels.
  const gain = 3 * availableParallelism();
  const notice = `No BLAS library was found: \`apt-get install libopenblas0-pthread\` would make matrix products about ${gain} times faster.`;
  return { name: 'wasm', threads: 1, blas: null, notice: wantedBlas ? notice : null };
}

async function useWasm(): Promise<void> {
  try {
    await import('@tensorflow/tfjs-backend-wasm');
    if (!(await tf.setBackend('wasm'))) throw new Error('the WASM module could not be loaded');
  } catch (error) {
    throw new UserError(`Starting TensorFlow.js's WASM backend failed: ${messageOf(error)}. Try --engine cpu.`);
  }
}

async function startWebGpuEngine(): Promise<Started> {
  return { name: 'webgpu', threads: 0, device: await startWebGpu(), blas: null, notice: null };
}

async function startCpu(): Promise<Started> {
  await import('@tensorflow/tfjs-backend-cpu');
  await tf.setBackend('cpu');
  registerCompositeKernels('cpu');
  registerPackedKernels('cpu', PACKED_FORMULAS);
  // Its first operation would print a banner that advises tfjs-node.
  (tf.backend() as tf.KernelBackend & { firstUse: boolean }).firstUse = false;
  return { name: 'cpu', threads: 1, blas: null, notice: null };
}
