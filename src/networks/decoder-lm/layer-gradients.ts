/**
 * Gradients of LLaMA's decoder layers. A layer is run once outside the tape (only its output is kept) and once more when
 * its gradient is due. Where memory is plenty, all layers can be kept on one tape instead (`layersOnTape`), which saves
 * running them twice.
 */
import * as tf from '../../engine/tf.js';
import { differentiate, type GradientMap, offTape, type NamedVariables } from '../../nn/backprop.js';
import { type Llama, type LlamaContext, layerContext } from './llama.js';

/**
 * LLaMA's decoder layers forward, outside the tape.
 * @param embeddings [B, T, D]; stays the caller's
 * @returns the input of every layer but the first, then the last output, before the final norm; owned by the caller
 */
export function forwardLayers(llama: Llama, embeddings: tf.Tensor, context: LlamaContext): tf.Tensor[] {
  const outputs: tf.Tensor[] = [];
  let hidden = embeddings;
  for (const [index, layer] of llama.layers.entries()) {
    const input = hidden;
    hidden = tf.tidy(() => layer.forward(input, layerContext(context, index))[0]);
    outputs.push(hidden);
  }
  return outputs;
}

/**
 * LLaMA's decoder layers backward, last to first.
 * @param outputs what `forwardLayers` returned; disposed on the way
 * @param outputGradient gradient by the last output; disposed
 * @returns the gradient by the embeddings [B, T, D]
 */
export function backwardLayers(
  llama: Llama,
  embeddings: tf.Tensor,
  outputs: readonly tf.Tensor[],
  context: LlamaContext,
  outputGradient: tf.Tensor,
  variables: readonly NamedVariables[],
  gradients: GradientMap,
): tf.Tensor {
  let gradient = outputGradient;
  for (let index = llama.layers.length - 1; index >= 0; index--) {
    const layer = llama.layers[index];
    const input = index === 0 ? embeddings : outputs[index - 1];
    if (layer === undefined || input === undefined) throw new Error(`backwardLayers: layer ${index} has no input`);
    outputs[index]?.dispose();
    const segment = (): tf.Tensor => layer.forward(input, layerContext(context, index))[0];
    const { value, inputs } = differentiate(segment, [input], variables[index] ?? new Map(), gradients, gradient);
    tf.dispose([value, gradient]);
    gradient = inputs[0] as tf.Tensor;
  }
  return gradient;
}

/**
 * LLaMA's decoder layers forward and backward.
 * @param embeddings [B, T, D]; stays the caller's
 * @param after computes the gradient of the loss by the last output [B, T, D], which the backward pass begins with; its
 *   result is disposed
 * @param variables what trains of every layer, by name; gradients go to `gradients`
 * @returns the gradient by the embeddings [B, T, D]
 */
type GradientsOfLayers = (
  llama: Llama,
  embeddings: tf.Tensor,
  context: LlamaContext,
  after: (last: tf.Tensor) => tf.Tensor,
  variables: readonly NamedVariables[],
  gradients: GradientMap,
) => tf.Tensor;

/** Each layer run twice: the inputs of all layers are held, and one layer's activations at a time. */
export const layersRecomputed: GradientsOfLayers = (llama, embeddings, context, after, variables, gradients) => {
  const outputs = forwardLayers(llama, embeddings, context);
  const gradient = after(outputs.at(-1) ?? embeddings);
  return backwardLayers(llama, embeddings, outputs, context, gradient, variables, gradients);
};

/** Each layer run once: the activations of all layers are held until the gradient is known. */
export const layersOnTape: GradientsOfLayers = (llama, embeddings, context, after, variables, gradients) => {
  const segment = (): tf.Tensor => {
    const last = forwardLayers(llama, embeddings, context).at(-1) ?? embeddings;
    const gradient = offTape(() => after(last));
    // What `after` added to the gradients outlives this segment.
    for (const tensor of gradients.tensors.values()) tf.keep(tensor);
    // d/dθ Σ(last · ∂L/∂last) is d/dθ L: so the gradient need not be known before the layers have run.
    return tf.sum(tf.mul(last, gradient));
  };
  const all = new Map(variables.flatMap((own) => [...own]));
  const { inputs } = differentiate(segment, [embeddings], all, gradients);
  return inputs[0] as tf.Tensor;
};
