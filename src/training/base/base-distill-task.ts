/**
 * A smaller F_V2 for a base that is there already (paper, Table 11: other sizes of SAM): it learns the image embeddings
 * of the larger one on scenes, and nothing else changes, F_mask included. What SAM's smaller sizes learn from masks in
 * weeks is learned from its largest in minutes (Zhang et al. 2023, MobileSAM).
 */
import { samTransform } from '../../data/image/image-transforms.js';
import * as tf from '../../engine/tf.js';
import type { PendingFile } from '../../io/atomic/pending-file.js';
import type { LlavaSam } from '../../systems/shared/llava-sam.js';
import { stackImages } from '../../features/image-features.js';
import type { Random } from '../../random.js';
import { differentiate, GradientMap } from '../backprop.js';
import { epochSamples } from '../loop/epoch-samples.js';
import { stepWithLosses } from '../loss-parts.js';
import type { ScenePool } from './scene-pool.js';
import { trainableVariables } from '../trainable.js';
import type { Gradients, SampleStream, TrainingTask } from '../loop/training-task.js';

export interface BaseDistillTaskOptions {
  /** With the smaller F_V2. */
  readonly gsva: LlavaSam;
  /** With the larger one; the task disposes it when the run is over. */
  readonly teacher: LlavaSam;
  readonly pool: ScenePool;
  readonly scenes: number;
  readonly save: () => Promise<PendingFile[]>;
  readonly load: (dir: string) => Promise<void>;
}

export interface DistillSample {
  readonly index: number;
  /** F_V2's input. */
  readonly input: Float32Array;
}

export class BaseDistillTask implements TrainingTask<DistillSample> {
  readonly network: LlavaSam;
  readonly variables: ReadonlyMap<string, tf.Variable>;

  constructor(private readonly options: BaseDistillTaskOptions) {
    this.network = options.gsva;
    this.variables = trainableVariables(options.gsva, 'base-distill');
  }

  get sampleCount(): number {
    return this.options.scenes;
  }

  samples(random: Random): SampleStream<DistillSample> {
    const { pool, gsva, teacher } = this.options;
    const stream = epochSamples(this.sampleCount, random, (index) => {
      const { data } = samTransform(pool.get(index).image, gsva.config.sam.imageSize);
      return Promise.resolve({ index, input: data });
    });
    return {
      ...stream,
      close: () => {
        teacher.dispose();
        return Promise.resolve();
      },
    };
  }

  nameOf(sample: DistillSample): string {
    return `base scene ${sample.index}`;
  }

  async forwardBackward(batch: readonly DistillSample[]): Promise<Gradients> {
    const { gsva, teacher } = this.options;
    const inputs = batch.map(({ input }) => input);
    const images = stackImages(inputs, gsva.config.sam.imageSize);
    try {
      return await stepWithLosses(['mse'] as const, (losses) => {
        const gradients = new GradientMap();
        tf.tidy(() => {
          const wanted = tf.tidy(() => teacher.encoders.sam.forward(images));
          const error = (): tf.Tensor => {
            const difference = tf.sub(gsva.encoders.sam.forward(images), wanted);
            return losses.add('mse', tf.mean(tf.square(difference)));
          };
          differentiate(error, [], new Map(this.variables), gradients);
          return [...gradients.tensors.values()]; // kept; all else goes
        });
        return gradients.tensors;
      });
    } finally {
      images.dispose();
    }
  }

  checkpointFiles(): Promise<PendingFile[]> {
    return this.options.save();
  }

  restore(dir: string): Promise<void> {
    return this.options.load(dir);
  }
}
