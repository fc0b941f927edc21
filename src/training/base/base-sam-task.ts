/** The base's SAM: F_V2, learned points and F_mask learn masks of scene objects from points and boxes, without text. */
import { samTransform } from '../../data/image/image-transforms.js';
import { type MaskPromptSample, sampleMaskPrompts } from '../../synthetic/base-masks.js';
import * as tf from '../../engine/tf.js';
import { stackImages } from '../../features/image-features.js';
import type { Gradients } from '../../nn/loss-parts.js';
import { Random } from '../../random.js';
import type { MaskTargets } from '../../systems/system.js';
import { BaseTask, type BaseTaskOptions } from './base-task.js';
import { maskIous } from './mask-ious.js';
import { promptedMasks, promptTensors, type SamBatch, samStep } from './sam-step.js';

export interface BaseSamTaskOptions extends BaseTaskOptions {
  readonly promptsPerScene: number;
}

export interface SamSample {
  readonly index: number;
  readonly input: Float32Array;
  readonly prompts: readonly MaskPromptSample[];
  readonly targets: MaskTargets;
}

/** A box is two points; a single point gets a padding point, as SAM adds one where there is no box. */
const POINTS_PER_PROMPT = 2;

export class BaseSamTask extends BaseTask<SamSample, BaseSamTaskOptions> {
  constructor(options: BaseSamTaskOptions) {
    super(options, 'base-sam');
  }

  prepare(index: number, random: Random): Promise<SamSample> {
    const { pool, gsva, promptsPerScene } = this.options;
    const { scene, image } = pool.get(index);
    const { data, height, width } = samTransform(image, gsva.config.sam.imageSize);
    const prompts = sampleMaskPrompts(scene, random, promptsPerScene);
    const targets: MaskTargets = {
      masks: prompts.map((prompt) => prompt.mask),
      rejected: 0,
      resized: [height, width],
      original: [image.height, image.width],
    };
    return Promise.resolve({ index, input: data, prompts, targets });
  }

  async forwardBackward(batch: readonly SamSample[]): Promise<Gradients> {
    const samBatch = this.collate(batch);
    try {
      return await samStep(this.network, samBatch, this.variables);
    } finally {
      samBatch.images.dispose();
    }
  }

  async validate(): Promise<Readonly<Record<string, number>>> {
    let sum = 0;
    let count = 0;
    for (const indices of this.validationBatches()) {
      const samples = await Promise.all(indices.map((index) => this.prepare(index, new Random(index))));
      for (const iou of await this.maskIous(samples)) {
        sum += iou;
        count++;
      }
    }
    return { maskIoU: sum / Math.max(1, count) };
  }

  private async maskIous(samples: readonly SamSample[]): Promise<number[]> {
    const model = this.network;
    const batch = this.collate(samples);
    const compute = (): tf.Tensor3D => {
      return promptedMasks(model, model.encoders.sam.forward(batch.images), batch, promptTensors(batch));
    };
    const lowResMasks = tf.tidy(compute);
    try {
      return await maskIous(model, lowResMasks, batch.targets, () => {
        tf.dispose(tf.tidy(compute));
      });
    } finally {
      tf.dispose([lowResMasks, batch.images]);
    }
  }

  private collate(samples: readonly SamSample[]): SamBatch {
    const side = this.options.gsva.config.sam.imageSize;
    const coordinates: number[] = [];
    const labels: number[] = [];
    for (const { prompts, targets } of samples) {
      const scale = [targets.resized[1] / targets.original[1], targets.resized[0] / targets.original[0]];
      for (const { points } of prompts) {
        for (let i = 0; i < POINTS_PER_PROMPT; i++) {
          const point = points[i];
          coordinates.push((point?.x ?? 0) * (scale[0] ?? 1), (point?.y ?? 0) * (scale[1] ?? 1));
          labels.push(point?.label ?? -1);
        }
      }
    }
    return {
      images: stackImages(
        samples.map((sample) => sample.input),
        side,
      ),
      coordinates: Float32Array.from(coordinates),
      labels: Int32Array.from(labels),
      points: POINTS_PER_PROMPT,
      targets: samples.map((sample) => sample.targets),
    };
  }
}
