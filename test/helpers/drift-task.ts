/** A task that costs next to nothing but has some numbers to write: weights that drift towards random places. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import * as tf from '../../src/engine/tf.js';
import { UserError } from '../../src/errors.js';
import type { PendingFile } from '../../src/io/atomic/pending-file.js';
import { safetensorsPieces } from '../../src/io/safetensors/safetensors-writer.js';
import { readSafetensors } from '../../src/io/safetensors/safetensors.js';
import type { Random } from '../../src/random.js';
import { epochSamples } from '../../src/training/base/base-task.js';
import type { TrainerOptions } from '../../src/training/loop/trainer-options.js';
import type { Gradients } from '../../src/nn/loss-parts.js';
import type { SampleStream, TrainingTask } from '../../src/training/loop/training-task.js';

const SIZE = 50_000;
const FILE = 'weights.safetensors';

export class DriftTask implements TrainingTask<number> {
  readonly sampleCount = 100;
  readonly variables: ReadonlyMap<string, tf.Variable> = new Map(
    ['a', 'b'].map((name) => [name, tf.tidy(() => tf.variable(tf.zeros([SIZE])))]),
  );

  samples(random: Random): SampleStream<number> {
    return epochSamples(this.sampleCount, random, (_, draw) => Promise.resolve(draw.normal()));
  }

  nameOf(sample: number): string {
    return String(sample);
  }

  forwardBackward(batch: readonly number[], random: Random): Gradients {
    const [target = 0] = batch;
    const shift = target + random.normal();
    const gradients = new Map([...this.variables].map(([name, variable]) => [name, tf.sub(variable, shift)]));
    return { losses: { loss: shift ** 2 }, gradients };
  }

  async checkpointFiles(): Promise<PendingFile[]> {
    const tensors = [...this.variables].map(([name, variable]) => {
      return [name, { shape: [SIZE], data: variable.dataSync<'float32'>().slice() }] as const;
    });
    return [{ name: FILE, pieces: safetensorsPieces(FILE, new Map(tensors)) }];
  }

  async restore(dir: string): Promise<void> {
    const { tensors } = readSafetensors(join(dir, FILE));
    const stored = [...this.variables].map(([name, variable]) => ({ name, variable, tensor: tensors.get(name) }));
    for (const { name, variable, tensor } of stored) {
      if (!(tensor?.data instanceof Float32Array)) throw new UserError(`${join(dir, FILE)} has no "${name}".`);
      const { data } = tensor;
      tf.tidy(() => {
        variable.assign(tf.tensor1d(data));
      });
    }
  }

  /** Which weights these are. */
  digest(): string {
    const hash = createHash('sha256');
    for (const variable of this.variables.values()) hash.update(variable.dataSync<'float32'>());
    return hash.digest('hex').slice(0, 16);
  }

  dispose(): void {
    tf.dispose([...this.variables.values()]);
  }
}

/** Without end; a checkpoint after every third update. */
export function driftOptions(): TrainerOptions {
  return {
    ...{ seed: 1, batchSize: 1, accumulation: 1, prefetch: 2 },
    ...{ validateEvery: 0, checkpointEvery: 3, keepCheckpoints: 2 },
    optimizer: { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0, clipNorm: 1 },
    schedule: { learningRate: 0.01, warmupUpdates: 2, totalUpdates: 1e9, decay: 'linear' },
  };
}
