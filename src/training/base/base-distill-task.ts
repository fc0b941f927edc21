/**
 * A smaller F_V2 for an existing base (paper, Table 11): it learns the image embeddings of the larger one on scenes, as
 * in MobileSAM (Zhang et al. 2023). Nothing else changes, F_mask included.
 */
import { samTransform } from '../../data/image/image-transforms.js';
import * as tf from '../../engine/tf.js';
import { type Gradients, stepWithLosses } from '../../nn/loss-parts.js';
import type { Random } from '../../random.js';
import type { LlavaSam } from '../../systems/shared/llava-sam.js';
import type { SampleStream } from '../loop/training-task.js';
import { BaseTask, type BaseTaskOptions, stackInputs } from './base-task.js';
import { gradientsOnTape } from './joint-step.js';

/** The model has the smaller F_V2. */
export interface BaseDistillTaskOptions extends BaseTaskOptions {
  /** With the larger F_V2; the task disposes it when the run is over. */
  readonly teacher: LlavaSam;
}

export interface DistillSample {
  readonly index: number;
  /** F_V2's input. */
  readonly input: Float32Array;
}

export class BaseDistillTask extends BaseTask<DistillSample, BaseDistillTaskOptions> {
  constructor(options: BaseDistillTaskOptions) {
    super(options, 'base-distill');
  }

  override samples(random: Random): SampleStream<DistillSample> {
    return {
      ...super.samples(random),
      close: () => {
        this.options.teacher.dispose();
        return Promise.resolve();
      },
    };
  }

  prepare(index: number): DistillSample {
    const { pool, gsva } = this.options;
    const { data } = samTransform(pool.get(index).image, gsva.config.sam.imageSize);
    return { index, input: data };
  }

  async forwardBackward(batch: readonly DistillSample[]): Promise<Gradients> {
    const { gsva, teacher } = this.options;
    const images = stackInputs(batch, gsva.config.sam.imageSize);
    const wanted = tf.tidy(() => teacher.encoders.sam.forward(images));
    try {
      return await stepWithLosses(['mse'], (losses) => {
        const error = (): tf.Tensor => {
          const difference = tf.sub(gsva.encoders.sam.forward(images), wanted);
          return losses.add('mse', tf.mean(tf.square(difference)));
        };
        return gradientsOnTape(error, this.variables);
      });
    } finally {
      tf.dispose([images, wanted]);
    }
  }
}
