/** How fast a training would be: a few of its own micro-batches, timed, and one update that changes nothing. */
import type { Abortable } from '../abortable.js';
import * as tf from '../engine/tf.js';
import { baseTask, type Experiment, groundingTask } from '../training/config/build-experiment.js';
import type { GroundingData } from '../training/grounding-task.js';
import { AdamW } from '../training/optimizer/optimizer.js';
import type { TrainingTask } from '../training/loop/training-task.js';
import { Random } from '../random.js';
import { readLast } from './timing.js';

/** Seconds on this machine, of one process with nothing else to do. */
export interface MeasuredSpeed {
  readonly engine: string;
  /** Forward and backward of a micro-batch whose images were not seen before, and of one whose features are kept. */
  readonly newImages: number;
  readonly keptImages: number;
  /** Clipping and AdamW, without exchanges. */
  readonly update: number;
  /** Reading a sample and making its masks, divided by the threads that do it meanwhile. */
  readonly loadSample: number;
}

/** Timed micro-batches of each kind; another one goes before them, in which memory is allocated. */
const TIMED = 2;

/** @param data null for a stage that draws its own scenes */
export async function measureSpeed(
  experiment: Experiment,
  data: GroundingData | null,
  engine: string,
  signal: Abortable | undefined,
): Promise<MeasuredSpeed> {
  const { config } = experiment;
  if (data !== null) return { engine, ...(await timed(groundingTask(experiment, data, null), config, signal)) };
  if (config.data.kind !== 'scenes') throw new Error('measureSpeed: the data is not opened');
  return { engine, ...(await timed(baseTask(experiment, config.data), config, signal)) };
}

async function timed<Sample>(
  task: TrainingTask<Sample>,
  config: Experiment['config'],
  signal: Abortable | undefined,
): Promise<Omit<MeasuredSpeed, 'engine'>> {
  const { batchSize, seed, optimizer: options } = config.training;
  const stream = task.samples(new Random(seed).fork(0), () => undefined);
  const optimizer = new AdamW(task.variables, options);
  const step = async (batch: readonly Sample[]): Promise<[seconds: number, updateSeconds: number]> => {
    signal?.throwIfAborted();
    const began = performance.now();
    const { gradients } = await task.forwardBackward(batch, new Random(seed));
    const computed = performance.now();
    try {
      // At a rate of 0 no weight moves.
      const norm = await optimizer.globalNorm(gradients);
      optimizer.apply(gradients, 0, norm);
      // On a GPU the calls return before.
      await readLast(task.variables);
    } finally {
      tf.dispose([...gradients.values()]);
    }
    return [(computed - began) / 1000, (performance.now() - computed) / 1000];
  };
  const samples: Sample[] = [];
  try {
    const began = performance.now();
    const wanted = (1 + TIMED) * batchSize;
    // Those that cannot be used are passed over.
    for (let position = 0; samples.length < wanted; position += wanted) {
      const loaded = await Promise.all(Array.from({ length: wanted }, (_, i) => stream.at(position + i)));
      samples.push(...loaded.filter((sample) => sample !== null));
    }
    const loadSample = (performance.now() - began) / 1000 / wanted;
    const batches = Array.from({ length: 1 + TIMED }, (_, i) => samples.slice(i * batchSize, (i + 1) * batchSize));
    const first: number[] = [];
    const again: number[] = [];
    const updates: number[] = [];
    for (const seconds of [first, again]) {
      for (const batch of batches) {
        const [computing, updating] = await step(batch);
        seconds.push(computing);
        updates.push(updating);
      }
    }
    const mean = (list: readonly number[]): number => list.slice(1).reduce((sum, x) => sum + x, 0) / (list.length - 1);
    return { newImages: mean(first), keptImages: mean(again), update: mean(updates), loadSample };
  } finally {
    optimizer.dispose();
    samples.forEach((sample) => task.release?.(sample));
    await stream.close?.();
  }
}
