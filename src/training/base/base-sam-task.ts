/**
 * The base's SAM: masks of scene objects from points and boxes. It learns F_V2, the prompt encoder's learned points and
 * F_mask; it knows nothing of text.
 */
import { samTransform } from '../../data/image/image-transforms.js';
import { type MaskPromptSample, sampleMaskPrompts } from '../../synthetic/base-masks.js';
import * as tf from '../../engine/tf.js';
import type { PendingFile } from '../../io/atomic/pending-file.js';
import type { LlavaSam } from '../../systems/shared/llava-sam.js';
import { stackImages } from '../../features/image-features.js';
import { Random } from '../../random.js';
import { epochSamples } from '../loop/epoch-samples.js';
import { maskIous } from './mask-ious.js';
import type { MaskTargets } from '../mask-objective.js';
import { type SamBatch, samStep } from './sam-step.js';
import type { ScenePool } from './scene-pool.js';
import { trainableVariables } from '../trainable.js';
import type { Gradients, SampleStream, TrainingTask } from '../loop/training-task.js';

export interface BaseSamTaskOptions {
  readonly gsva: LlavaSam;
  readonly pool: ScenePool;
  readonly scenes: number;
  readonly promptsPerScene: number;
  /** Scenes after the training ones, for validation. */
  readonly validationScenes: number;
  readonly save: () => Promise<PendingFile[]>;
  readonly load: (dir: string) => Promise<void>;
}

export interface SamSample {
  readonly index: number;
  readonly input: Float32Array;
  readonly prompts: readonly MaskPromptSample[];
  readonly targets: MaskTargets;
}

/** A box is two points; a single point gets a padding point, as SAM adds one where there is no box. */
const POINTS_PER_PROMPT = 2;
const VALIDATION_BATCH = 16;

export class BaseSamTask implements TrainingTask<SamSample> {
  readonly network: LlavaSam;
  readonly variables: ReadonlyMap<string, tf.Variable>;

  constructor(private readonly options: BaseSamTaskOptions) {
    this.network = options.gsva;
    this.variables = trainableVariables(options.gsva, 'base-sam');
  }

  get sampleCount(): number {
    return this.options.scenes;
  }

  samples(random: Random): SampleStream<SamSample> {
    return epochSamples(this.sampleCount, random, (index, draw) => this.prepare(index, draw));
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

  nameOf(sample: SamSample): string {
    return `base scene ${sample.index}`;
  }

  async forwardBackward(batch: readonly SamSample[]): Promise<Gradients> {
    const samBatch = this.collate(batch);
    try {
      return await samStep(this.options.gsva, samBatch, this.variables);
    } finally {
      samBatch.images.dispose();
    }
  }

  /** Mean IoU of the masks over unseen scenes. */
  async validate(): Promise<Readonly<Record<string, number>>> {
    const { scenes, validationScenes, gsva } = this.options;
    let sum = 0;
    let count = 0;
    for (let first = 0; first < validationScenes; first += VALIDATION_BATCH) {
      const size = Math.min(VALIDATION_BATCH, validationScenes - first);
      const indices = Array.from({ length: size }, (_, i) => scenes + first + i);
      const samples = await Promise.all(indices.map((index) => this.prepare(index, new Random(index))));
      for (const iou of await this.maskIous(gsva, samples)) {
        sum += iou;
        count++;
      }
    }
    return { maskIoU: sum / Math.max(1, count) };
  }

  checkpointFiles(): Promise<PendingFile[]> {
    return this.options.save();
  }

  restore(dir: string): Promise<void> {
    return this.options.load(dir);
  }

  private async maskIous(gsva: LlavaSam, samples: readonly SamSample[]): Promise<number[]> {
    const batch = this.collate(samples);
    const compute = (): tf.Tensor3D => {
      const rows = samples.flatMap((sample, row) => sample.prompts.map(() => row));
      const embeddings = tf.add(gsva.encoders.sam.forward(batch.images), gsva.promptEncoder.noMaskEmbedding());
      return gsva.maskDecoder.forward({
        imageEmbeddings: tf.gather(embeddings, tf.tensor1d(rows, 'int32')) as tf.Tensor4D,
        densePositions: gsva.promptEncoder.densePositions(),
        sparsePrompts: gsva.promptEncoder.forward(promptTensors(batch, rows.length)),
      }).lowResMasks;
    };
    const lowResMasks = tf.tidy(compute);
    try {
      return await maskIous(gsva, lowResMasks, batch.targets, () => {
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

function promptTensors(batch: SamBatch, queries: number): { coordinates: tf.Tensor3D; labels: tf.Tensor2D } {
  return {
    coordinates: tf.tensor3d(batch.coordinates, [queries, batch.points, 2]),
    labels: tf.tensor2d(batch.labels, [queries, batch.points], 'int32'),
  };
}
