/**
 * WebGPU device for Node by the npm package `webgpu` (Dawn, Chrome's implementation) over Vulkan, Metal or D3D12. The
 * package is optional and brings its binaries; it needs a graphics driver, on Linux a Vulkan one.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { UserError, messageOf } from '../errors.js';
import { reinstallCommand } from '../program.js';

export interface GpuDevice {
  readonly limits: Readonly<Record<LimitName, number>>;
  addEventListener(type: 'uncapturederror', listener: (event: { readonly error: Error }) => void): void;
  readonly lost: Promise<{ readonly message: string }>;
  destroy(): void;
}

interface GpuAdapter {
  readonly info: Readonly<Record<'vendor' | 'architecture' | 'device' | 'description', string>> & {
    /** A software adapter: SwiftShader, llvmpipe. */
    readonly isFallbackAdapter: boolean;
  };
  readonly limits: Readonly<Record<LimitName, number>>;
  requestDevice(descriptor: { readonly requiredLimits: Readonly<Record<string, number>> }): Promise<GpuDevice>;
}

interface Dawn {
  create(options: readonly string[]): {
    requestAdapter(options: { readonly powerPreference: 'high-performance' }): Promise<GpuAdapter | null>;
  };
  /** GPUBuffer, GPUBufferUsage, … */
  readonly globals: Readonly<Record<string, unknown>>;
}

/** Limits relevant to products of large matrices; the device is requested with all that the adapter has. */
const LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxUniformBufferBindingSize',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupSizeY',
  'maxComputeWorkgroupSizeZ',
  'maxComputeWorkgroupsPerDimension',
] as const;
export type LimitName = (typeof LIMITS)[number];

export interface OpenedGpu {
  readonly gpu: ReturnType<Dawn['create']>;
  readonly device: GpuDevice;
  readonly adapterInfo: GpuAdapter['info'];
  /** "nvidia ampere (NVIDIA A100), driver 535.54". */
  readonly name: string;
  readonly globals: Dawn['globals'];
}

/** Files by which Linux shows a graphics card: DRM, NVIDIA, Tegra, WSL, Mali, Adreno. */
const GPU_FILES = ['/dev/dri/renderD128', '/dev/nvidiactl', '/dev/nvgpu', '/dev/dxg', '/dev/mali0', '/dev/kgsl-3d0'];
const PROBE_MILLISECONDS = 20_000;
/** Requests a device too, since a driver may refuse one. Its argument is the URL of the package. */
const PROBE = `
  const { create } = await import(process.argv[1]);
  const adapter = await create([]).requestAdapter({ powerPreference: 'high-performance' });
  const isReal = adapter !== null && !adapter.info.isFallbackAdapter;
  if (isReal) await adapter.requestDevice();
  process.stdout.write(isReal ? 'real' : 'none');
  process.exit(0);
`;

const require = createRequire(import.meta.url);

/** Kept for the lifetime of the process: a library that is open is found by its name. */
let vulkan: unknown = null;

/** Whether a graphics card may be here: false only where Linux shows none. */
export function mayHaveGpu(): boolean {
  return process.platform !== 'linux' || GPU_FILES.some((path) => existsSync(path));
}

/** Whether a hardware adapter computes here. Another process asks: a driver may crash or hang there without harm. */
export async function hasRealGpu(): Promise<boolean> {
  if (!mayHaveGpu()) return false;
  try {
    const { href } = pathToFileURL(require.resolve('webgpu'));
    const args = ['--input-type=module', '--eval', PROBE, href];
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: PROBE_MILLISECONDS });
    return stdout === 'real';
  } catch {
    return false;
  }
}

/** Opens the fastest adapter, with all its limits. @throws UserError that names the missing part and the remedy */
export async function openGpu(): Promise<OpenedGpu> {
  if (process.platform === 'linux') openVulkan();
  const dawn = await importOptional<Dawn>('webgpu');
  const gpu = dawn.create([]);
  let adapter: GpuAdapter | null;
  try {
    adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  } catch (error) {
    throw noAdapter(messageOf(error));
  }
  if (adapter === null) throw noAdapter('there is none that Dawn accepts');
  const name = nameOf(adapter.info);
  const { limits } = adapter;
  try {
    const requiredLimits = Object.fromEntries(LIMITS.map((limit) => [limit, limits[limit]]));
    const device = await adapter.requestDevice({ requiredLimits });
    return { gpu, device, adapterInfo: adapter.info, name, globals: dawn.globals };
  } catch (error) {
    throw new UserError(
      `Starting the engine webgpu: the adapter ${name} gave no device: ${messageOf(error)}. Bring its driver up to ` +
        'date, end other programs that use the graphics card, or choose another --engine.',
    );
  }
}

/** @throws UserError where the optional npm package cannot be loaded */
export async function importOptional<Module>(name: string): Promise<Module> {
  try {
    return (await import(name)) as Module;
  } catch (error) {
    throw new UserError(
      `Starting the engine webgpu: the npm package "${name}" could not be loaded: ${messageOf(error)}. ` +
        `Run ${reinstallCommand()} without --omit=optional (binaries exist for Linux, macOS and Windows), or choose ` +
        'another --engine.',
    );
  }
}

/** Dawn opens the loader by its bare name; one next to a driver's ICD file is opened for it by its path. */
function openVulkan(): void {
  if (vulkan !== null) return;
  const lists = [process.env.VK_DRIVER_FILES, process.env.VK_ICD_FILENAMES];
  const icdFiles = lists.flatMap((list) => list?.split(':') ?? []);
  const paths = ['libvulkan.so.1', ...icdFiles.map((file) => join(dirname(file), 'libvulkan.so.1'))];
  const koffi = require('koffi') as { load(path: string): unknown };
  for (const path of paths) {
    try {
      vulkan = koffi.load(path);
      return;
    } catch {
      // The next may be there.
    }
  }
  throw noAdapter(`the Vulkan loader is missing (looked for ${paths.join(', ')})`);
}

function noAdapter(problem: string): UserError {
  const driver =
    process.platform === 'linux'
      ? "Install the graphics card's Vulkan driver and loader (NVIDIA: its driver; AMD, Intel: `apt-get install " +
        'mesa-vulkan-drivers libvulkan1`; check with `vulkaninfo --summary`). To try the engine without a graphics ' +
        'card, slowly, set VK_ICD_FILENAMES to the vk_swiftshader_icd.json of Chromium (Debian: ' +
        "/usr/lib/chromium; Mesa's llvmpipe of Debian 12 is refused)."
      : "Bring the graphics card's driver up to date.";
  return new UserError(
    `Starting the engine webgpu: looking for a graphics adapter failed: ${problem}. ${driver} Or choose another --engine.`,
  );
}

function nameOf({ vendor, architecture, device, description }: GpuAdapter['info']): string {
  const model = [vendor, architecture].filter((part) => part !== '').join(' ');
  const details = [device, description].filter((part) => part !== '').join(', ');
  if (model === '') return details === '' ? 'unnamed adapter' : details;
  return details === '' ? model : `${model} (${details})`;
}
