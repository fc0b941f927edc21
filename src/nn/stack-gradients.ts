/**
 * Gradients of a stack of layers, such as a transformer's. A layer is run once outside the tape (only its output is
 * kept) and once more when its gradient is due. Where memory is plenty, all layers can be kept on one tape instead
 * (`stackOnTape`), which saves running them twice.
 */
import * as tf from '../engine/tf.js';
import { differentiate, type GradientMap, offTape, type NamedVariables } from './backprop.js';

/** Layers first to last, each a function of its input alone; inputs and outputs have one shape. */
export type Stack = readonly ((input: tf.Tensor) => tf.Tensor)[];

/**
 * All layers forward, outside the tape.
 * @param input stays the caller's
 * @returns the input of every layer but the first, then the last output; owned by the caller
 */
export function forwardStack(stack: Stack, input: tf.Tensor): tf.Tensor[] {
  const outputs: tf.Tensor[] = [];
  for (const layer of stack) {
    const last = outputs.at(-1) ?? input;
    outputs.push(tf.tidy(() => layer(last)));
  }
  return outputs;
}

/**
 * All layers backward, last to first.
 * @param outputs what `forwardStack` returned; disposed on the way
 * @param outputGradient gradient by the last output; disposed
 * @returns the gradient by the input
 */
export function backwardStack(
  stack: Stack,
  input: tf.Tensor,
  outputs: readonly tf.Tensor[],
  outputGradient: tf.Tensor,
  variables: readonly NamedVariables[],
  gradients: GradientMap,
): tf.Tensor {
  let gradient = outputGradient;
  for (let index = stack.length - 1; index >= 0; index--) {
    const layer = stack[index];
    const before = index === 0 ? input : outputs[index - 1];
    if (layer === undefined || before === undefined) throw new Error(`backwardStack: layer ${index} has no input`);
    outputs[index]?.dispose();
    const segment = (): tf.Tensor => layer(before);
    const { value, inputs } = differentiate(segment, [before], variables[index] ?? new Map(), gradients, gradient);
    tf.dispose([value, gradient]);
    gradient = inputs[0] as tf.Tensor;
  }
  return gradient;
}

/**
 * All layers forward and backward.
 * @param input stays the caller's
 * @param after computes the gradient of the loss by the last output, which the backward pass begins with; its result is
 *   disposed
 * @param variables what trains of every layer, by name; gradients go to `gradients`
 * @returns the gradient by the input
 */
type GradientsOfStack = (
  stack: Stack,
  input: tf.Tensor,
  after: (last: tf.Tensor) => tf.Tensor,
  variables: readonly NamedVariables[],
  gradients: GradientMap,
) => tf.Tensor;

/** Each layer run twice: the inputs of all layers are held, and one layer's activations at a time. */
export const stackRecomputed: GradientsOfStack = (stack, input, after, variables, gradients) => {
  const outputs = forwardStack(stack, input);
  const gradient = after(outputs.at(-1) ?? input);
  return backwardStack(stack, input, outputs, gradient, variables, gradients);
};

/** Each layer run once: the activations of all layers are held until the gradient is known. */
export const stackOnTape: GradientsOfStack = (stack, input, after, variables, gradients) => {
  const segment = (): tf.Tensor => {
    const last = forwardStack(stack, input).at(-1) ?? input;
    const gradient = offTape(() => after(last));
    // What `after` added to the gradients outlives this segment.
    for (const tensor of gradients.tensors.values()) tf.keep(tensor);
    // d/dθ Σ(last · ∂L/∂last) is d/dθ L: so the gradient need not be known before the layers have run.
    return tf.sum(tf.mul(last, gradient));
  };
  const all = new Map(variables.flatMap((own) => [...own]));
  const { inputs } = differentiate(segment, [input], all, gradients);
  return inputs[0] as tf.Tensor;
};
