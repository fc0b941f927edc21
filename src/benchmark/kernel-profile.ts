/** Where the time of a piece of work goes, kernel by kernel. */
import { COMPOSITE_KERNELS } from '../engine/composite-kernels.js';
import * as tf from '../engine/tf.js';
import type { Work } from './timing.js';

export interface KernelShare {
  readonly kernel: string;
  readonly calls: number;
  /** Milliseconds of all calls. */
  readonly milliseconds: number;
  /** Share of the kernels' time together. */
  readonly share: number;
  /** The call that took longest: its milliseconds and the shapes that went in. */
  readonly longest: { readonly milliseconds: number; readonly shapes: string };
}

export interface KernelProfile {
  readonly kernels: readonly KernelShare[];
  readonly calls: number;
  /** Time of all kernels. The rest of the work's time is JavaScript, waiting and the cost of profiling. */
  readonly kernelMilliseconds: number;
  readonly milliseconds: number;
  /** Most bytes in tensors at any time, and how many of them were there before. */
  readonly peakBytes: number;
  readonly startBytes: number;
}

/** Runs the work once, after one run to warm up. */
export async function profileKernels(work: Work): Promise<KernelProfile> {
  await work();
  const startBytes = tf.memory().numBytes;
  const start = performance.now();
  const info = await tf.profile(async () => {
    await work();
    return tf.scalar(0);
  });
  const milliseconds = performance.now() - start;
  tf.dispose(info.result);
  const groups = new Map<string, Omit<KernelShare, 'share'>>();
  // A kernel that is a formula also counts the kernels that it calls.
  const counted = info.kernels.filter(({ name }) => tf.getBackend() === 'wasm' || !COMPOSITE_KERNELS.has(name));
  const times = await Promise.all(counted.map(async (kernel) => Number(await kernel.kernelTimeMs)));
  for (const [index, { name: kernel, inputShapes }] of counted.entries()) {
    const spent = times[index] ?? 0;
    const before = groups.get(kernel) ?? { calls: 0, milliseconds: 0, longest: { milliseconds: -1, shapes: '' } };
    const isLongest = spent > before.longest.milliseconds;
    const longest = isLongest ? { milliseconds: spent, shapes: shapesText(inputShapes) } : before.longest;
    groups.set(kernel, { kernel, calls: before.calls + 1, milliseconds: before.milliseconds + spent, longest });
  }
  const kernelMilliseconds = times.reduce((sum, value) => sum + value, 0);
  const kernels = [...groups.values()]
    .map((group) => ({ ...group, share: group.milliseconds / kernelMilliseconds }))
    .sort((a, b) => b.milliseconds - a.milliseconds);
  const { peakBytes } = info;
  return { kernels, calls: counted.length, kernelMilliseconds, milliseconds, peakBytes, startBytes };
}

function shapesText(shapes: readonly (readonly number[] | null)[]): string {
  return shapes.flatMap((shape) => (shape === null ? [] : [`[${shape.join(', ')}]`])).join(' ');
}
