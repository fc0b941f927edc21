/** Backpropagation segment by segment: memory grows with one segment, not with the depth of the model. */
import * as tf from '../engine/tf.js';

export type NamedTensors = ReadonlyMap<string, tf.Tensor>;
export type NamedVariables = ReadonlyMap<string, tf.Variable>;

/** Gradients of variables by name; sums those of several segments. Owns its tensors. */
export class GradientMap {
  readonly tensors = new Map<string, tf.Tensor>();

  /** Takes ownership of `gradient`. */
  add(name: string, gradient: tf.Tensor): void {
    const earlier = this.tensors.get(name);
    this.tensors.set(name, earlier === undefined ? gradient : tf.add(earlier, gradient));
    if (earlier !== undefined) tf.dispose([earlier, gradient]);
  }
}

/**
 * Runs one segment and differentiates it.
 * @param segment a function of `inputs` and of `variables`
 * @param variables those of the segment that train; their gradients go to `gradients`
 * @param outputGradient gradient of the loss by the segment's output; null when the output is the (scalar) loss
 * @returns the segment's output, and the gradient of each input (zeros where it has none); owned by the caller
 */
export function differentiate(
  segment: () => tf.Tensor,
  inputs: readonly tf.Tensor[],
  variables: NamedVariables,
  gradients: GradientMap,
  outputGradient: tf.Tensor | null = null,
): { value: tf.Tensor; inputs: tf.Tensor[] } {
  const sources = [...inputs, ...variables.values()];
  if (sources.length === 0) return { value: tf.tidy(segment), inputs: [] };
  const { value, grads } = tf.engine().gradients(segment, sources, outputGradient ?? undefined, true) as {
    value: tf.Tensor;
    grads: (tf.Tensor | undefined)[];
  };
  for (const [index, name] of [...variables.keys()].entries()) {
    const gradient = grads[inputs.length + index];
    if (gradient !== undefined) gradients.add(name, gradient);
  }
  return { value, inputs: inputs.map((input, index) => grads[index] ?? tf.zerosLike(input)) };
}

/**
 * Runs `compute` inside a differentiated function without recording it: its result is a constant to the gradient. It
 * may differentiate something itself.
 */
export function offTape<T>(compute: () => T): T {
  const { state } = tf.engine();
  const { activeTape, gradientDepth } = state;
  Object.assign(state, { activeTape: null, gradientDepth: 0 });
  try {
    return compute();
  } finally {
    Object.assign(state, { activeTape, gradientDepth });
  }
}
