/**
 * The engine `webgpu`: TensorFlow.js's WebGPU backend, made for browsers, over Dawn in Node. Results are read
 * asynchronously only (`await tensor.data()`). The next read throws an error that the device reported.
 */
import { UserError } from '../errors.js';
import { registerCompositeKernels } from './composite-kernels.js';
import { PACKED_FORMULAS, registerPackedKernels } from './packed-kernels.js';
import * as tf from './tf.js';
import { type GpuDevice, importOptional, openGpu, type OpenedGpu } from './webgpu-device.js';
import { type WebGpuBackend, registerWebGpuKernels } from './webgpu-kernels.js';
import { registerBlockKernels } from './webgpu-blocks.js';

/** Bytes of unused buffers above which they are released, where they are more than those in use. */
const LARGEST_POOL = 2 ** 29;

interface BackendModule {
  readonly WebGPUBackend: new (device: GpuDevice, adapterInfo: OpenedGpu['adapterInfo']) => WebGpuBackend;
}

/** Kept, because Dawn lives only as long as the adapter it was asked through. */
let inUse: OpenedGpu | null = null;

/** Makes WebGPU the backend. @returns the adapter's name @throws UserError where it, or another part, is missing */
export async function startWebGpu(): Promise<string> {
  if (inUse !== null) {
    await tf.setBackend('webgpu');
    return inUse.name;
  }
  const opened = await openGpu();
  const removeNavigator = provideNavigator(opened);
  try {
    const { WebGPUBackend } = await importOptional<BackendModule>('@tensorflow/tfjs-backend-webgpu');
    // The module's own factory would ask for an adapter of its own, with lower limits.
    if (tf.engine().registryFactory['webgpu'] !== undefined) tf.removeBackend('webgpu');
    const backend = guarded(new WebGPUBackend(opened.device, opened.adapterInfo));
    registerWebGpuKernels();
    registerBlockKernels(backend);
    registerCompositeKernels('webgpu');
    registerPackedKernels('webgpu', PACKED_FORMULAS);
    tf.registerBackend('webgpu', () => backend);
    await tf.setBackend('webgpu');
  } finally {
    removeNavigator();
  }
  // Exiting under the feet of a card that computes ends in a segmentation fault; this waits for it.
  process.once('exit', () => {
    opened.device.destroy();
  });
  inUse = opened;
  return opened.name;
}

/**
 * Globals that the backend expects of a browser. Its classes and constants (GPUBuffer, GPUBufferUsage, …) are used all
 * along; navigator.gpu only while the backend is made, and as long as it is set Node does not exit.
 */
function provideNavigator({ gpu, globals }: OpenedGpu): () => void {
  for (const [name, value] of Object.entries(globals)) {
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
  const earlier = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  Object.defineProperty(globalThis, 'navigator', { value: { gpu }, configurable: true });
  return () => {
    if (earlier === undefined) Reflect.deleteProperty(globalThis, 'navigator');
    else Object.defineProperty(globalThis, 'navigator', earlier);
  };
}

/** The backend, whose reads throw errors of the device and explain what is impossible in Node. */
function guarded(backend: WebGpuBackend): WebGpuBackend {
  const { device } = backend;
  let failure: string | null = null;
  device.addEventListener('uncapturederror', ({ error }) => {
    failure ??= error.message;
  });
  void device.lost.then(({ message }) => {
    failure ??= `the device was lost: ${message}`;
  });
  const check = (): void => {
    if (failure === null) return;
    throw new UserError(
      `Computing with the engine webgpu failed: ${failure.trim()}. If it is memory that is lacking, use smaller ` +
        'batches or a smaller model; else choose another --engine.',
    );
  };
  const read = backend.read.bind(backend);
  backend.read = async (dataId) => {
    check();
    const values = await read(dataId);
    check();
    trimPool(backend.bufferManager);
    return values;
  };
  backend.readSync = (dataId) => {
    const { values } = backend.tensorMap.get(dataId);
    if (values !== null && values !== undefined) return values;
    throw new UserError(
      'The engine webgpu cannot read results at once, which this part of the program asks for. Choose another --engine.',
    );
  };
  return backend;
}

/** The backend keeps every buffer for tensors of its size, and sizes vary with the length of the texts. */
function trimPool(pool: WebGpuBackend['bufferManager']): void {
  const free = pool.numBytesAllocated - pool.numBytesUsed;
  if (free < LARGEST_POOL || free < pool.numBytesUsed) return;
  for (const buffers of pool.freeBuffers.values()) {
    for (const buffer of buffers.splice(0)) {
      buffer.destroy();
      pool.numFreeBuffers--;
      pool.numBytesAllocated -= buffer.size;
    }
  }
}
