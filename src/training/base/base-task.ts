/** Shared by the base's stages: samples are scenes of the embedded benchmark, in a new order every epoch. */
import type * as tf from '../../engine/tf.js';
import type { PendingFile } from '../../io/atomic/pending-file.js';
import type { Gradients } from '../../nn/loss-parts.js';
import type { Random } from '../../random.js';
import type { LlavaSam } from '../../systems/shared/llava-sam.js';
import { epochSamples } from '../loop/epoch-samples.js';
import type { SampleStream, TrainingTask } from '../loop/training-task.js';
import { type Stage, trainableVariables } from '../trainable.js';
import type { ScenePool } from './scene-pool.js';

export interface BaseTaskOptions {
  readonly gsva: LlavaSam;
  readonly pool: ScenePool;
  readonly scenes: number;
  /** Scenes after the training ones, for validation. */
  readonly validationScenes: number;
  readonly save: () => Promise<PendingFile[]>;
  readonly load: (dir: string) => Promise<void>;
}

export abstract class BaseTask<
  Sample extends { readonly index: number },
  Options extends BaseTaskOptions = BaseTaskOptions,
> implements TrainingTask<Sample> {
  readonly network: LlavaSam;
  readonly variables: ReadonlyMap<string, tf.Variable>;

  constructor(
    protected readonly options: Options,
    stage: Stage,
  ) {
    this.network = options.gsva;
    this.variables = trainableVariables(options.gsva, stage);
  }

  get sampleCount(): number {
    return this.options.scenes;
  }

  samples(random: Random): SampleStream<Sample> {
    return epochSamples(this.sampleCount, random, (index, draw) => this.prepare(index, draw));
  }

  nameOf({ index }: Sample): string {
    return `base scene ${index}`;
  }

  checkpointFiles(): Promise<PendingFile[]> {
    return this.options.save();
  }

  restore(dir: string): Promise<void> {
    return this.options.load(dir);
  }

  /** Indices of the validation scenes, a batch at a time. */
  protected *validationBatches(size = 16): Generator<readonly number[]> {
    const { scenes, validationScenes } = this.options;
    for (let first = 0; first < validationScenes; first += size) {
      const count = Math.min(size, validationScenes - first);
      yield Array.from({ length: count }, (_, i) => scenes + first + i);
    }
  }

  abstract prepare(index: number, random: Random): Promise<Sample>;
  abstract forwardBackward(batch: readonly Sample[]): Promise<Gradients>;
}
