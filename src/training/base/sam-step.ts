/**
 * One forward and backward pass of SAM's objective for the base model: masks from points and boxes, the same BCE and
 * DICE as GSVA's. F_mask and the prompt encoder are one segment, F_V2 another.
 */
import * as tf from '../../engine/tf.js';
import type { LlavaSam } from '../../systems/shared/llava-sam.js';
import { differentiate, GradientMap, variablesUnder } from '../backprop.js';
import { type LossParts, stepWithLosses } from '../loss-parts.js';
import { maskObjective, type MaskTargets } from '../mask-objective.js';
import type { Gradients } from '../loop/training-task.js';

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
  return stepWithLosses(['bce', 'dice'] as const, (losses) => backpropagate(gsva, batch, variables, losses));
}

function backpropagate(
  gsva: LlavaSam,
  batch: SamBatch,
  variables: ReadonlyMap<string, tf.Variable>,
  losses: LossParts<'bce' | 'dice'>,
): ReadonlyMap<string, tf.Tensor> {
  const { loss, sam } = gsva.config;
  const gradients = new GradientMap();
  tf.tidy(() => {
    const embeddings = tf.tidy(() => gsva.encoders.sam.forward(batch.images));
    const rows = batch.targets.flatMap((target, row) => target.masks.map(() => row));
    const coordinates = tf.tensor3d(batch.coordinates, [rows.length, batch.points, 2]);
    const labels = tf.tensor2d(batch.labels, [rows.length, batch.points], 'int32');
    const decoder = (): tf.Tensor => {
      const dense = tf.add(embeddings, gsva.promptEncoder.noMaskEmbedding());
      const { lowResMasks } = gsva.maskDecoder.forward({
        imageEmbeddings: tf.gather(dense, tf.tensor1d(rows, 'int32')) as tf.Tensor4D,
        densePositions: gsva.promptEncoder.densePositions(),
        sparsePrompts: gsva.promptEncoder.forward({ coordinates, labels }),
      });
      const { bce, dice } = maskObjective(lowResMasks, batch.targets, sam.imageSize);
      return tf.add(losses.add('bce', tf.mul(bce, loss.bce)), losses.add('dice', tf.mul(dice, loss.dice)));
    };
    const decoderVariables = variablesUnder(
      variables,
      'model.visual_model.mask_decoder.',
      'model.visual_model.prompt_encoder.',
    );
    const { inputs } = differentiate(decoder, [embeddings], decoderVariables, gradients);
    const encoderVariables = variablesUnder(variables, 'model.visual_model.image_encoder.');
    differentiate(() => gsva.encoders.sam.forward(batch.images), [], encoderVariables, gradients, inputs[0]);
    return [...gradients.tensors.values()];
  });
  return gradients.tensors;
}
