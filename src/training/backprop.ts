/**
 * Backpropagation segment by segment. A segment is run once outside the tape (only its output is kept) and once more
 * when its gradient is due, so memory grows with one decoder layer, not with the depth of the model. Where memory is
 * plenty, LLaMA's layers can be kept on one tape instead (`layersOnTape`), which saves running them twice.
 */
import { offTape } from '../engine/off-tape.js';
import * as tf from '../engine/tf.js';
import { type Llama, type LlamaContext, layerContext } from '../networks/decoder-lm/llama.js';

export interface SegmentGradients {
  /** What the segment computed; owned by the caller. */
  readonly value: tf.Tensor;
  /** Gradient of each input, zeros where the output does not depend on it; owned by the caller. */
  readonly inputs: tf.Tensor[];
}

/** Gradients of variables by name; sums what several segments say of the same variable. Owns its tensors. */
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

/** The variables whose name begins with one of the prefixes. */
export function variablesUnder(
  variables: ReadonlyMap<string, tf.Variable>,
  ...prefixes: string[]
): Map<string, tf.Variable> {
  return new Map([...variables].filter(([name]) => prefixes.some((prefix) => name.startsWith(prefix))));
}

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
  variables: ReadonlyMap<string, tf.Variable>,
  gradients: GradientMap,
): tf.Tensor {
  let gradient = outputGradient;
  for (let index = llama.layers.length - 1; index >= 0; index--) {
    const layer = llama.layers[index];
    const input = index === 0 ? embeddings : outputs[index - 1];
    if (layer === undefined || input === undefined) throw new Error(`backwardLayers: layer ${index} has no input`);
    outputs[index]?.dispose();
    const own = variablesUnder(variables, `model.layers.${index}.`);
    const segment = (): tf.Tensor => layer.forward(input, layerContext(context, index))[0];
    const { value, inputs } = differentiate(segment, [input], own, gradients, gradient);
    tf.dispose([value, gradient]);
    gradient = inputs[0] as tf.Tensor;
  }
  return gradient;
}

/** What comes after the layers: the gradient of the loss by their last output [B, T, D]. */
export type GradientAfterLayers = (last: tf.Tensor) => tf.Tensor;

/**
 * LLaMA's decoder layers forward and backward, each run twice: the inputs of all layers are held, and one layer's
 * activations at a time.
 * @param embeddings [B, T, D]; stays the caller's
 * @param after computes the gradient that the backward pass begins with; its result is disposed
 * @param variables what trains, among others; gradients go to `gradients`
 * @returns the gradient by the embeddings [B, T, D]
 */
export function layersRecomputed(
  llama: Llama,
  embeddings: tf.Tensor,
  context: LlamaContext,
  after: GradientAfterLayers,
  variables: ReadonlyMap<string, tf.Variable>,
  gradients: GradientMap,
): tf.Tensor {
  const outputs = forwardLayers(llama, embeddings, context);
  const gradient = after(outputs.at(-1) ?? embeddings);
  return backwardLayers(llama, embeddings, outputs, context, gradient, variables, gradients);
}

/** As `layersRecomputed`, each layer run once: the activations of all layers are held until the gradient is there. */
export function layersOnTape(
  llama: Llama,
  embeddings: tf.Tensor,
  context: LlamaContext,
  after: GradientAfterLayers,
  variables: ReadonlyMap<string, tf.Variable>,
  gradients: GradientMap,
): tf.Tensor {
  const segment = (): tf.Tensor => {
    const last = forwardLayers(llama, embeddings, context).at(-1) ?? embeddings;
    const gradient = offTape(() => after(last));
    // What `after` added to the gradients outlives this segment.
    for (const tensor of gradients.tensors.values()) tf.keep(tensor);
    // d/dθ Σ(last · ∂L/∂last) is d/dθ L: so the gradient need not be known before the layers have run.
    return tf.sum(tf.mul(last, gradient));
  };
  const { inputs } = differentiate(segment, [embeddings], variablesUnder(variables, 'model.layers.'), gradients);
  return inputs[0] as tf.Tensor;
}
