/** A graphics card to test with where there is none: SwiftShader, which Debian's package chromium brings along. */
import { existsSync } from 'node:fs';
import { hasRealGpu } from '../../src/engine/webgpu-device.js';

const ICD_FILES = [
  '/usr/lib/chromium/vk_swiftshader_icd.json',
  '/usr/lib/chromium-browser/vk_swiftshader_icd.json',
  '/opt/google/chrome/vk_swiftshader_icd.json',
];

/**
 * Sees to it that WebGPU finds an adapter in this process: the one that is set up, a real one, or SwiftShader.
 * @returns null, or why there is none
 */
export async function provideAdapter(): Promise<string | null> {
  const { VK_DRIVER_FILES, VK_ICD_FILENAMES } = process.env;
  if (VK_DRIVER_FILES !== undefined || VK_ICD_FILENAMES !== undefined || (await hasRealGpu())) return null;
  const file = ICD_FILES.find((path) => existsSync(path));
  if (file === undefined) return `no graphics card, and no SwiftShader (looked for ${ICD_FILES.join(', ')})`;
  process.env.VK_ICD_FILENAMES = file;
  // Jest's process.env is a copy; the Vulkan loader looks at the real one.
  const { default: koffi } = await import('koffi');
  const setenv = koffi.load('libc.so.6').func('int setenv(const char *name, const char *value, int overwrite)') as (
    ...values: [string, string, number]
  ) => number;
  setenv('VK_ICD_FILENAMES', file, 1);
  return null;
}
