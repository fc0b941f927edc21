/** One forward and backward pass of SAM's objective (BCE, DICE) from points and boxes; segments: F_mask, F_V2. */
import * as tf from '../../engine/tf.js';
import type { LlavaSam } from '../../systems/shared/llava-sam.js';
import { differentiate, GradientMap } from '../../nn/backprop.js';
import { type Gradients, type LossParts, stepWithLosses } from '../../nn/loss-parts.js';
import { VariableSegments } from '../../checkpoints/parts.js';
import { maskObjective } from '../../systems/shared/mask-objective.js';
import type { MaskTargets } from '../../systems/system.js';

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

export function samStep(
  gsva: LlavaSam,
  batch: SamBatch,
  variables: ReadonlyMap<string, tf.Variable>,
): Promise<Gradients> {
  const segments = new VariableSegments(gsva.parts, variables, (part) => (part === 'image_encoder' ? part : 'decoder'));
  return stepWithLosses(['bce', 'dice'] as const, (losses) => backpropagate(gsva, batch, segments, losses));
}

function backpropagate(
  gsva: LlavaSam,
  batch: SamBatch,
  segments: VariableSegments,
  losses: LossParts<'bce' | 'dice'>,
): ReadonlyMap<string, tf.Tensor> {
  const { loss } = gsva.config;
  const gradients = new GradientMap();
  tf.tidy(() => {
    const embeddings = tf.tidy(() => gsva.encoders.sam.forward(batch.images));
    const prompts = promptTensors(batch);
    const decoder = (): tf.Tensor => {
      const { bce, dice } = maskObjective(gsva, promptedMasks(gsva, embeddings, batch, prompts), batch.targets);
      return tf.add(losses.add('bce', tf.mul(bce, loss.bce)), losses.add('dice', tf.mul(dice, loss.dice)));
    };
    const { inputs } = differentiate(decoder, [embeddings], segments.of('decoder'), gradients);
    differentiate(
      () => gsva.encoders.sam.forward(batch.images),
      [],
      segments.of('image_encoder'),
      gradients,
      inputs[0],
    );
    return [...gradients.tensors.values()];
  });
  return gradients.tensors;
}

interface PromptTensors {
  readonly coordinates: tf.Tensor3D;
  readonly labels: tf.Tensor2D;
}

export function promptTensors({ coordinates, labels, points }: SamBatch): PromptTensors {
  const queries = labels.length / points;
  return {
    coordinates: tf.tensor3d(coordinates, [queries, points, 2]),
    labels: tf.tensor2d(labels, [queries, points], 'int32'),
  };
}

/** Masks [Q, s, s] of points and boxes on F_V2's embeddings [B, H, W, prompt]. */
export function promptedMasks(
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
