/** The base's SAM: F_V2, learned points and F_mask learn masks of scene objects from points and boxes, without text. */
import { VariableSegments } from '../../checkpoints/parts.js';
import { samTransform } from '../../data/image/image-transforms.js';
import * as tf from '../../engine/tf.js';
import { differentiate, GradientMap, type NamedTensors, type NamedVariables } from '../../nn/backprop.js';
import { type Gradients, type LossParts, stepWithLosses } from '../../nn/loss-parts.js';
import type { Random } from '../../random.js';
import { type MaskPromptSample, sampleMaskPrompts } from '../../synthetic/base-masks.js';
import type { LlavaSam } from '../../systems/shared/llava-sam.js';
import { maskObjective } from '../../systems/shared/mask-objective.js';
import type { MaskTargets } from '../../systems/system.js';
import { BaseTask, type BaseTaskOptions, Mean, stackInputs } from './base-task.js';
import { maskIous, repeated } from './mask-ious.js';

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

  prepare(index: number, random: Random): SamSample {
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
    return { index, input: data, prompts, targets };
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
    const maskIoU = new Mean();
    for (const samples of this.validationSamples()) maskIoU.addAll(await this.maskIous(samples));
    return { maskIoU: maskIoU.value };
  }

  private async maskIous(samples: readonly SamSample[]): Promise<number[]> {
    const model = this.network;
    const batch = this.collate(samples);
    const compute = (): tf.Tensor3D => {
      return promptedMasks(model, model.encoders.sam.forward(batch.images), batch, promptTensors(batch));
    };
    const lowResMasks = tf.tidy(compute);
    try {
      return await maskIous(model, lowResMasks, batch.targets, repeated(compute));
    } finally {
      tf.dispose([lowResMasks, batch.images]);
    }
  }

  private collate(samples: readonly SamSample[]): SamBatch {
    const coordinates: number[] = [];
    const labels: number[] = [];
    for (const { prompts, targets } of samples) {
      const { resized, original } = targets;
      for (const { points } of prompts) {
        for (let i = 0; i < POINTS_PER_PROMPT; i++) {
          const { x, y, label } = points[i] ?? { x: 0, y: 0, label: -1 };
          coordinates.push(x * (resized[1] / original[1]), y * (resized[0] / original[0]));
          labels.push(label);
        }
      }
    }
    return {
      images: stackInputs(samples, this.options.gsva.config.sam.imageSize),
      coordinates: Float32Array.from(coordinates),
      labels: Int32Array.from(labels),
      points: POINTS_PER_PROMPT,
      targets: samples.map((sample) => sample.targets),
    };
  }
}

export interface SamBatch {
  /** [B, S, S, 3], normalised and padded; stays the caller's. */
  readonly images: tf.Tensor4D;
  /** [Q·P·2] as (x, y) in pixels of the square input, image by image. */
  readonly coordinates: Float32Array;
  /** [Q·P]: 1 foreground, 0 background, 2 and 3 box corners, -1 padding. */
  readonly labels: Int32Array;
  /** P */
  readonly points: number;
  /** One entry per image; their masks count Q in all. */
  readonly targets: readonly MaskTargets[];
}

/** One forward and backward pass of SAM's objective (BCE, DICE) from points and boxes; segments: F_mask, F_V2. */
export function samStep(gsva: LlavaSam, batch: SamBatch, variables: NamedVariables): Promise<Gradients> {
  const segments = new VariableSegments(gsva.parts, variables, (part) => (part === 'image_encoder' ? part : 'decoder'));
  return stepWithLosses(['bce', 'dice'] as const, (losses) => backpropagate(gsva, batch, segments, losses));
}

function backpropagate(
  gsva: LlavaSam,
  batch: SamBatch,
  segments: VariableSegments,
  losses: LossParts<'bce' | 'dice'>,
): NamedTensors {
  const { loss } = gsva.config;
  const gradients = new GradientMap();
  tf.tidy(() => {
    const encode = (): tf.Tensor => gsva.encoders.sam.forward(batch.images);
    const embeddings = tf.tidy(encode);
    const prompts = promptTensors(batch);
    const decoder = (): tf.Tensor => {
      const { bce, dice } = maskObjective(gsva, promptedMasks(gsva, embeddings, batch, prompts), batch.targets);
      return tf.add(losses.add('bce', tf.mul(bce, loss.bce)), losses.add('dice', tf.mul(dice, loss.dice)));
    };
    const { inputs } = differentiate(decoder, [embeddings], segments.of('decoder'), gradients);
    differentiate(encode, [], segments.of('image_encoder'), gradients, inputs[0]);
    return [...gradients.tensors.values()];
  });
  return gradients.tensors;
}

interface PromptTensors {
  readonly coordinates: tf.Tensor3D;
  readonly labels: tf.Tensor2D;
}

function promptTensors({ coordinates, labels, points }: SamBatch): PromptTensors {
  const queries = labels.length / points;
  return {
    coordinates: tf.tensor3d(coordinates, [queries, points, 2]),
    labels: tf.tensor2d(labels, [queries, points], 'int32'),
  };
}

/** Masks [Q, s, s] of points and boxes on F_V2's embeddings [B, H, W, prompt]. */
function promptedMasks(
  { promptEncoder, maskDecoder }: LlavaSam,
  embeddings: tf.Tensor,
  { targets }: SamBatch,
  prompts: PromptTensors,
): tf.Tensor3D {
  const rows = targets.flatMap((target, row) => target.masks.map(() => row));
  const dense = tf.add(embeddings, promptEncoder.noMaskEmbedding());
  return maskDecoder.forward({
    imageEmbeddings: tf.gather(dense, tf.tensor1d(rows, 'int32')) as tf.Tensor4D,
    densePositions: promptEncoder.densePositions(),
    sparsePrompts: promptEncoder.forward(prompts),
  }).lowResMasks;
}
