/** Where the time of a piece of work goes, kernel by kernel. */
import { COMPOSITE_KERNELS } from '../engine/composite-kernels.js';
import * as tf from '../engine/tf.js';
import type { Work } from './timing.js';

export interface KernelShare {
  readonly kernel: string;
  readonly calls: number;
  /** Milliseconds of all calls. */
  readonly milliseconds: number;
  /** Of the kernels' time together. */
  readonly share: number;
  /** The call that took longest: its milliseconds and the shapes that went in. */
  readonly longest: { readonly milliseconds: number; readonly shapes: string };
}

export interface KernelProfile {
  readonly kernels: readonly KernelShare[];
  readonly calls: number;
  /** Of all kernels. What the work took beyond it is JavaScript, waiting and the cost of profiling. */
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
  const groups = new Map<string, { calls: number; sum: number; longest: KernelShare['longest'] }>();
  // Beside a kernel that is a formula there are the kernels that it calls.
  const isCounted = ({ name }: { readonly name: string }): boolean =>
    tf.getBackend() === 'wasm' || !COMPOSITE_KERNELS.has(name);
  const counted = info.kernels.filter(isCounted);
  const times = await Promise.all(counted.map(async (kernel) => Number(await kernel.kernelTimeMs)));
  for (const [index, { name, inputShapes }] of counted.entries()) {
    const spent = times[index] ?? 0;
    const group = groups.get(name) ?? { calls: 0, sum: 0, longest: { milliseconds: -1, shapes: '' } };
    group.calls++;
    group.sum += spent;
    if (spent > group.longest.milliseconds) group.longest = { milliseconds: spent, shapes: shapesText(inputShapes) };
    groups.set(name, group);
  }
  const kernelMilliseconds = times.reduce((sum, value) => sum + value, 0);
  const kernels = [...groups]
    .map(([kernel, { calls, sum, longest }]) => {
      return { kernel, calls, milliseconds: sum, share: sum / kernelMilliseconds, longest };
    })
    .sort((a, b) => b.milliseconds - a.milliseconds);
  return {
    kernels,
    calls: counted.length,
    kernelMilliseconds,
    milliseconds,
    peakBytes: info.peakBytes,
    startBytes,
  };
}

function shapesText(shapes: readonly (readonly number[] | null)[]): string {
  return shapes.flatMap((shape) => (shape === null ? [] : [`[${shape.join(', ')}]`])).join(' ');
}
