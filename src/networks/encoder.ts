/** The interface of the frozen encoders. */
import type { Steps } from '../engine/steps.js';
import type * as tf from '../engine/tf.js';
import type { CompositeLayer } from '../nn/composite-layer.js';

/** A frozen encoder, a function of the image alone: [B, …imageShape] → [B, …]. */
export interface Encoder extends CompositeLayer {
  /** Shape of one input, without the batch. */
  readonly imageShape: readonly number[];
  /**
   * Whether an image is one input or several, its tiles: the features of all then stand one after the other, and a batch
   * [T, …] has as many rows as there are tiles. `getConfig` then holds how they are cut, for kept features depend on it.
   */
  readonly takesTiles?: boolean;
  forward(images: tf.Tensor): tf.Tensor;
  forwardSteps(images: tf.Tensor): Steps<tf.Tensor>;
}
