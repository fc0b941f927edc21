/** Outputs of layers on the way of a computation, by their hierarchical names. */
import * as tf from '../engine/tf.js';
import type { CompositeLayer } from '../nn/composite-layer.js';

interface WithForward {
  forward: (...inputs: unknown[]) => unknown;
}

/**
 * @param names of layers below `root` @param run a computation in one go
 * @returns the first output of each, of its first call, inside the caller's tidy
 */
export function layerOutputs(
  root: CompositeLayer,
  names: readonly string[],
  run: () => unknown,
): Map<string, tf.Tensor> {
  const found = new Map<string, tf.Tensor>();
  const layers = root.namedLayers().filter(([name]) => names.includes(name));
  for (const [name, layer] of layers) {
    const watched = layer as unknown as WithForward;
    const original = watched.forward.bind(layer);
    watched.forward = (...inputs): unknown => {
      const output = original(...inputs);
      const first: unknown = Array.isArray(output) ? output[0] : output;
      if (first instanceof tf.Tensor && !found.has(name)) found.set(name, tf.keep(tf.clone(first as tf.Tensor)));
      return output;
    };
  }
  try {
    run();
  } finally {
    for (const [, layer] of layers) Reflect.deleteProperty(layer, 'forward');
  }
  return found;
}
