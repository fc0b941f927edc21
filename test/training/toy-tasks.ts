/** Small tasks for the trainer's tests: regression by an MLP on noisy samples, with dropout, in plain TensorFlow.js. */
import { afterAll } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import type { PendingFile } from '../../src/io/atomic/pending-file.js';
import { safetensorsPieces } from '../../src/io/safetensors/safetensors-writer.js';
import { readSafetensors } from '../../src/io/safetensors/safetensors.js';
import { toFloat32 } from '../../src/io/file-tensor.js';
import { Random } from '../../src/random.js';
import { epochSamples } from '../../src/training/base/base-task.js';
import type { TrainerOptions } from '../../src/training/loop/trainer-options.js';
import type { Gradients } from '../../src/nn/loss-parts.js';
import type { SampleStream, TrainingTask } from '../../src/training/loop/training-task.js';

export interface ToySample {
  readonly name: string;
  readonly x: readonly number[];
  readonly y: number;
}

/** TensorFlow.js's plain backend, and the one whose optimiser changes weights in place. */
export const ENGINES = ['cpu', 'wasm'] as const;

/** For beforeAll: makes an engine the current one. */
export function useEngine(engine: (typeof ENGINES)[number]): () => Promise<void> {
  return async () => {
    await startEngine({ engine, threads: 1 });
  };
}

const folders: string[] = [];

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A new empty folder for a run; gone when the tests of the file are done. */
export function newRunDir(): string {
  const folder = mkdtempSync(join(tmpdir(), 'gsva-training-'));
  folders.push(folder);
  return join(folder, 'run');
}

export interface ToySettings {
  readonly sampleCount?: number;
  /** Probability that an input is zeroed. */
  readonly dropout?: number;
  /** Standard deviation of the noise that `prepare` adds. */
  readonly noise?: number;
  /** Index of a sample whose target is NaN. */
  readonly brokenSample?: number;
}

const INPUTS = 4;

/** y = tanh(x·w1 + b1)·w2 + b2 fitted to a fixed function of x; 'idle' is trainable but never gets a gradient. */
export class ToyTask implements TrainingTask<ToySample> {
  readonly variables: ReadonlyMap<string, tf.Variable>;
  readonly sampleCount: number;
  prepared = 0;
  released = 0;
  /** Names of the samples of every micro-batch. */
  readonly seen: string[][] = [];

  constructor(private readonly settings: ToySettings = {}) {
    this.sampleCount = settings.sampleCount ?? 12;
    const random = new Random(5);
    const variable = (...shape: number[]): tf.Variable => {
      const values = Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 0.5 * random.normal());
      return tf.tidy(() => tf.variable(tf.tensor(values, shape)));
    };
    this.variables = new Map([
      ['w1', variable(INPUTS, 8)],
      ['b1', variable(8)],
      ['idle', variable(3)],
      ['w2', variable(8, 1)],
      ['b2', variable(1)],
    ]);
  }

  samples(random: Random): SampleStream<ToySample> {
    return epochSamples(this.sampleCount, random, (index, draw) => this.prepare(index, draw));
  }

  async prepare(index: number, random: Random): Promise<ToySample> {
    // Samples become ready out of order, as files do.
    await new Promise((resolve) => setTimeout(resolve, (index * 7) % 3));
    this.prepared += 1;
    const noise = (): number => (this.settings.noise ?? 0) * random.normal();
    const x = Array.from({ length: INPUTS }, (_, i) => Math.sin(index * (i + 1) * 0.7) + noise());
    const target = Math.sin(index) + 0.5 * Math.cos(2 * index);
    return { name: `toy-${index}`, x, y: index === this.settings.brokenSample ? NaN : target };
  }

  release(): void {
    this.released += 1;
  }

  nameOf(sample: ToySample): string {
    return sample.name;
  }

  forwardBackward(batch: readonly ToySample[], random: Random): Gradients {
    this.seen.push(batch.map(({ name }) => name));
    const { dropout = 0 } = this.settings;
    const kept = batch.map(({ x }) => x.map((value) => (random.uniform() < dropout ? 0 : value)));
    const trained = [...this.variables].filter(([name]) => name !== 'idle');
    const [w1, b1, w2, b2] = trained.map(([, variable]) => variable) as [
      tf.Variable,
      tf.Variable,
      tf.Variable,
      tf.Variable,
    ];
    const { value, grads } = tf.variableGrads(() => {
      const hidden = tf.tanh(tf.add(tf.matMul(tf.tensor2d(kept, [batch.length, INPUTS]), w1 as tf.Tensor2D), b1));
      const output = tf.reshape(tf.add(tf.matMul(hidden as tf.Tensor2D, w2 as tf.Tensor2D), b2), [-1]);
      return tf.mean(tf.square(tf.sub(output, tf.tensor1d(batch.map(({ y }) => y)))));
    }, [w1, b1, w2, b2]);
    const loss = value.dataSync()[0] as number;
    value.dispose();
    const gradients = trained.map(([name, variable]): [string, tf.Tensor] => [name, grads[variable.name] as tf.Tensor]);
    return { losses: { loss, half: loss / 2 }, gradients: new Map(gradients) };
  }

  async checkpointFiles(): Promise<PendingFile[]> {
    const entries = [...this.variables].map(([name, variable]): [string, { shape: number[]; data: Float32Array }] => [
      name,
      { shape: variable.shape, data: variable.dataSync<'float32'>().slice() },
    ]);
    const name = 'weights.safetensors';
    return [{ name, pieces: safetensorsPieces(name, new Map(entries)) }];
  }

  async restore(dir: string): Promise<void> {
    const { tensors } = readSafetensors(join(dir, 'weights.safetensors'));
    for (const [name, variable] of this.variables) {
      const stored = tensors.get(name);
      if (stored === undefined) throw new Error(`no ${name}`);
      tf.tidy(() => {
        variable.assign(tf.tensor(toFloat32(stored), variable.shape));
      });
    }
  }

  /** All weights, copied. */
  weights(): Record<string, number[]> {
    return Object.fromEntries([...this.variables].map(([name, variable]) => [name, [...variable.dataSync()]]));
  }

  dispose(): void {
    tf.dispose([...this.variables.values()]);
  }
}

/** A toy task whose validation gives prepared figures, one after the other. */
export class ValidatedToyTask extends ToyTask {
  validations = 0;

  constructor(
    private readonly figures: readonly number[],
    settings: ToySettings = {},
  ) {
    super(settings);
  }

  async validate(): Promise<Record<string, number>> {
    return { accuracy: this.figures[this.validations++] ?? NaN };
  }
}

/** Options of a short run; `changes` replaces some. */
export function toyOptions(changes: Partial<TrainerOptions> = {}): TrainerOptions {
  return {
    seed: 3,
    batchSize: 2,
    accumulation: 2,
    prefetch: 3,
    optimizer: { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0, clipNorm: 1 },
    schedule: { learningRate: 0.02, warmupUpdates: 2, totalUpdates: 12, decay: 'linear' },
    validateEvery: 0,
    checkpointEvery: 0,
    ...changes,
  };
}
