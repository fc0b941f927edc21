/** Backpropagation segment by segment: memory grows with one segment, not with the depth of the model. */
import * as tf from '../engine/tf.js';

export interface SegmentGradients {
  /** The segment's output; owned by the caller. */
  readonly value: tf.Tensor;
  /** Gradient of each input, zeros where the output does not depend on it; owned by the caller. */
  readonly inputs: tf.Tensor[];
}

/** Gradients of variables by name; sums those of several segments. Owns its tensors. */
export class GradientMap {
  readonly tensors = new Map<string, tf.Tensor>();

  /** Takes ownership of `gradient`. */
  add(name: string, gradient: tf.Tensor): void {
    const earlier = this.tensors.get(name);
    if (earlier === undefined) {
      this.tensors.set(name, gradient);
      return;
    }
    this.tensors.set(name, tf.add(earlier, gradient));
    tf.dispose([earlier, gradient]);
  }
}

/**
 * Runs one segment and differentiates it.
 * @param segment a function of `inputs` and of `variables`
 * @param variables those of the segment that train; their gradients go to `gradients`
 * @param outputGradient gradient of the loss by the segment's output; null when the output is the (scalar) loss
 */
export function differentiate(
  segment: () => tf.Tensor,
  inputs: readonly tf.Tensor[],
  variables: ReadonlyMap<string, tf.Variable>,
  gradients: GradientMap,
  outputGradient: tf.Tensor | null = null,
): SegmentGradients {
  const names = [...variables.keys()];
  const sources = [...inputs, ...variables.values()];
  if (sources.length === 0) return { value: tf.tidy(segment), inputs: [] };
  const { value, grads } = tf.engine().gradients(segment, sources, outputGradient ?? undefined, true) as {
    value: tf.Tensor;
    grads: (tf.Tensor | undefined)[];
  };
  names.forEach((name, index) => {
    const gradient = grads[inputs.length + index];
    if (gradient !== undefined) gradients.add(name, gradient);
  });
  return { value, inputs: inputs.map((input, index) => grads[index] ?? tf.zerosLike(input)) };
}
