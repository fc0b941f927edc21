/**
 * The engine `tensorflow`: TensorFlow's C library through the Node addon of @tensorflow/tfjs-node, on the CPU or on a
 * CUDA GPU, as `gsva setup tensorflow` installed it. The package is not loaded as published: its index would load
 * @tensorflow/tfjs with another copy of tfjs-core, print banners, and look for a downloaded addon. Its backend and
 * kernels alone are loaded; stand-ins in the installation give them the copy of tfjs-core in use.
 */
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import util from 'node:util';
import { UserError, messageOf } from '../errors.js';
import { registerCompositeKernels } from './composite-kernels.js';
import { type DeviceChoice, cudaVisibleDevices, deviceName } from './device.js';
import { copyLargeTensorsAtOnce, registerTensorflowKernels, type TensorflowBackend } from './tensorflow-kernels.js';
import { registerTensorflowPacked } from './tensorflow-packed.js';
import { ADDON_FILE, CORE_KEY, type Installation, findInstallation } from './tensorflow-installation.js';
import * as tf from './tf.js';
import { gsvaCommand } from '../program.js';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';

const BACKEND = 'tensorflow';

interface Loaded {
  readonly installation: Installation;
  readonly threads: number;
  readonly isGpu: boolean;
  /** CUDA_VISIBLE_DEVICES while it was loaded. */
  readonly visible: string;
}

/** TensorFlow is loaded once per process, which fixes device and threads. */
let loaded: Loaded | null = null;

/** The variable before it was narrowed to one device. */
const visibleAtStart = process.env.CUDA_VISIBLE_DEVICES;

/**
 * @param threads of TensorFlow's operations on the CPU; the first start in a process fixes it
 * @throws UserError when it is not set up, does not load, or the requested GPU is absent
 */
export async function startTensorflow(threads: number, device: DeviceChoice) {
  const installation = loaded?.installation ?? findInstallation();
  if (installation === null) {
    const gpu = device?.kind === 'gpu' ? ' --gpu' : '';
    throw new UserError(
      `Starting the engine tensorflow: it is not set up. ` +
        `Run \`${gsvaCommand(`setup tensorflow${gpu}`)}\`, or choose another --engine.`,
    );
  }
  if (device?.kind === 'gpu' && !installation.gpu) {
    throw new UserError(
      `Starting the engine tensorflow on ${deviceName(device)}: ${installation.folder} was set up for the CPU only. ` +
        `Run \`${gsvaCommand('setup tensorflow --gpu')}\`, or choose --device cpu.`,
    );
  }
  const visible = installation.gpu ? cudaVisibleDevices(device, visibleAtStart) : '-1';
  loaded ??= load(installation, threads, visible, device, await nativeProcess());
  if (device !== null && loaded.visible !== visible && (loaded.isGpu || device.kind === 'gpu')) {
    throw new UserError(
      `Starting the engine tensorflow on ${deviceName(device)}: this process computes on another device already, ` +
        'and TensorFlow cannot change it. Start another process.',
    );
  }
  if (device?.kind === 'gpu' && !loaded.isGpu) throw noGpu(device, '');
  if (!(await tf.setBackend(BACKEND)))
    throw new UserError('Starting the engine tensorflow: its backend did not start.');
  const { isGpu } = loaded;
  const { tensorflow } = installation;
  return {
    name: 'tensorflow' as const,
    threads: loaded.threads,
    ...(isGpu ? { device: gpuName(visible) } : {}),
    blas: tensorflow === null ? 'TensorFlow' : `TensorFlow ${tensorflow}`,
    notice: installation.gpu && !isGpu && device === null ? `No CUDA GPU was found: computing on the CPU.` : null,
  };
}

function load(
  installation: Installation,
  threads: number,
  visible: string,
  device: DeviceChoice,
  native: NativeProcess,
): Loaded {
  const wantsLog = (process.env.TF_CPP_MIN_LOG_LEVEL ?? '') !== '';
  setEnvironment(native, installation.gpu ? visible : null, threads);
  addMissingUtil();
  const core: unknown = createRequire(import.meta.url)('@tensorflow/tfjs-core');
  (globalThis as Record<symbol, unknown>)[Symbol.for(CORE_KEY)] = core;
  try {
    const require = createRequire(join(installation.folder, 'package.json'));
    const loadAddon = (): unknown => require(join(installation.folder, ADDON_FILE));
    // TensorFlow writes a line about oneDNN on every start, before any setting can keep it from that.
    const { result: addon, written } = wantsLog
      ? { result: loadAddon(), written: '' }
      : native.capturingStderr(loadAddon);
    const { NodeJSKernelBackend } = require(`${installation.package}/dist/nodejs_kernel_backend`) as {
      readonly NodeJSKernelBackend: new (binding: unknown, packageName: string) => TensorflowBackend;
    };
    require(`${installation.package}/dist/register_all_kernels`);
    const backend = new NodeJSKernelBackend(addon, installation.package);
    const isGpu = backend.isUsingGpuDevice;
    if (device?.kind === 'gpu' && !isGpu) throw noGpu(device, written);
    tf.registerBackend(BACKEND, () => backend);
    copyLargeTensorsAtOnce(backend);
    registerTensorflowKernels(backend);
    registerCompositeKernels(BACKEND);
    registerTensorflowPacked(BACKEND);
    return { installation, threads, isGpu, visible };
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(
      `Starting the engine tensorflow: loading it from ${installation.folder} failed: ${messageOf(error)}. ` +
        `Run \`${gsvaCommand('setup tensorflow')}\` again, or choose --engine openblas.`,
    );
  }
}

/** TensorFlow reads these while it is loaded. Defaults leave what the user has set. */
function setEnvironment(native: NativeProcess, visibleGpus: string | null, threads: number): void {
  if (visibleGpus !== null) {
    native.set('CUDA_VISIBLE_DEVICES', visibleGpus);
    native.setDefault('CUDA_DEVICE_ORDER', 'PCI_BUS_ID'); // the numbers that nvidia-smi shows
    native.setDefault('TF_FORCE_GPU_ALLOW_GROWTH', 'true');
    // Products in TF32 keep 10 bits of the mantissa, too few for the recorded results. 1 allows them.
    native.setDefault('NVIDIA_TF32_OVERRIDE', '0');
  }
  native.setDefault('TF_CPP_MIN_LOG_LEVEL', '2');
  native.set('TF_NUM_INTRAOP_THREADS', String(threads));
}

/** tfjs-node 4.22 calls two functions of node:util that Node 23 removed (and Node 22 warns of). */
function addMissingUtil(): void {
  Object.assign(util, {
    isArray: Array.isArray,
    isNullOrUndefined: (value: unknown) => value === null || value === undefined,
  });
}

function noGpu(device: { readonly kind: 'gpu'; readonly index: number }, log: string): UserError {
  const reason = lastError(log);
  return new UserError(
    `Starting the engine tensorflow on ${deviceName(device)}: TensorFlow found no such GPU` +
      `${reason === null ? '' : ` (${reason})`}. See whether \`nvidia-smi\` lists it and its driver is 525 or newer, ` +
      'set TF_CPP_MIN_LOG_LEVEL=0 for what TensorFlow says, or choose --device cpu.',
  );
}

/** The last error or warning of TensorFlow's log without its time and place, or null. */
function lastError(log: string): string | null {
  const last = log.split('\n').findLast((line) => /^[EW]\d{4} |: [EW] /.test(line));
  return last?.replace(/^[^\]]*\]\s*/, '').replace(/^.*?: [EW] /, '') ?? null;
}

/** 'NVIDIA H200 (141 GB)' as nvidia-smi has it, or 'GPU 0'. */
function gpuName(visible: string): string {
  try {
    const query = ['--query-gpu=name,memory.total', '--format=csv,noheader,nounits', `--id=${visible}`];
    const line = execFileSync('nvidia-smi', query, { timeout: 10_000, stdio: ['ignore', 'pipe', 'ignore'] });
    const [name = '', mebibytes = ''] = line.toString().trim().split(/,\s*/);
    return `${name} (${Math.round(Number(mebibytes) / 1024)} GiB)`;
  } catch {
    return `GPU ${visible}`;
  }
}

const STDERR = 2;

type NativeProcess = Awaited<ReturnType<typeof nativeProcess>>;

/**
 * Process state that native libraries share and Node cannot change, on Linux and macOS by koffi. An assignment
 * to process.env reaches the C library from the main thread only (and not from Jest's sandbox), so the C library itself
 * sets the environment.
 */
async function nativeProcess() {
  const koffi = await import('koffi');
  const c = koffi.load(null);
  const setenv = c.func('int setenv(const char *name, const char *value, int overwrite)');
  const dup = c.func('int dup(int fd)') as (fd: number) => number;
  const dup2 = c.func('int dup2(int from, int to)') as (from: number, to: number) => number;
  return {
    /** Sets a variable that native code reads when it is loaded, unless the user has set it. */
    setDefault: (name: string, value: string): unknown => setenv(name, value, 0),
    /** Sets it in any case. */
    set: (name: string, value: string): unknown => setenv(name, value, 1),
    /** Calls `work` while everything written to descriptor 2, by native code too, goes to a file. */
    capturingStderr: (work: () => unknown): { result: unknown; written: string } => {
      const folder = mkdtempSync(join(tmpdir(), 'gsva-stderr-'));
      const path = join(folder, 'stderr');
      const file = openSync(path, 'w');
      const saved = dup(STDERR);
      try {
        dup2(file, STDERR);
        let result: unknown;
        try {
          result = work();
        } finally {
          if (saved >= 0) dup2(saved, STDERR);
        }
        return { result, written: readFileSync(path, 'utf8') };
      } finally {
        closeSync(file);
        if (saved >= 0) closeSync(saved);
        rmSync(folder, { recursive: true, force: true });
      }
    },
  };
}
