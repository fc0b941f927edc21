/** Gradients of one pass next to the recorded ones, in PyTorch's layout. */
import { join } from 'node:path';
import { nameInModel, toStored } from '../checkpoints/weights.js';
import type * as tf from '../engine/tf.js';
import type { CompositeLayer } from '../nn/composite-layer.js';
import { Recording } from './model-case.js';
import { largestMagnitude, Mismatches, type VerifyItem } from './verify-item.js';

export interface GradientPair {
  /** Name of the parameter, without the published prefix. */
  readonly name: string;
  readonly expected: Float32Array;
  /** Zeros where there is no gradient. */
  readonly found: Float32Array;
  /** Largest magnitude of `expected`. */
  readonly scale: number;
}

export interface ExpectedGradients {
  /** Folder with grads.safetensors. */
  readonly dir: string;
  /** Names of the parameters that train. */
  readonly trained: readonly string[];
  /** Names of those among them without a gradient. */
  readonly without: ReadonlySet<string>;
  /** Whether a recorded gradient is zero, so that it may be left out. */
  readonly isZero: (name: string, scale: number) => boolean;
}

/** @returns a pair per recorded gradient, and the item that compares which parameters have one */
export async function pairGradients(
  network: CompositeLayer,
  gradients: ReadonlyMap<string, tf.Tensor>,
  { dir, trained, without, isZero }: ExpectedGradients,
): Promise<{ readonly pairs: readonly GradientPair[]; readonly which: VerifyItem }> {
  const file = new Recording(join(dir, 'grads.safetensors'));
  const parameters = network.namedParameters();
  const which = new Mismatches('gradients: which parameters have one');
  const pairs: GradientPair[] = [];
  for (const recordedName of file.names) {
    const name = nameInModel(recordedName);
    const expected = file.get(recordedName).data;
    const scale = largestMagnitude(expected);
    const [gradient, layout] = [gradients.get(name), parameters.get(name)?.layout];
    const isMissing = gradient === undefined || layout === undefined;
    which.compare(name, isMissing && !isZero(name, scale) ? 'none' : 'a gradient', 'a gradient');
    const found = isMissing ? new Float32Array(expected.length) : (await toStored(gradient, layout)).data;
    pairs.push({ name, expected, found, scale });
  }
  const withGradient = new Set(pairs.map(({ name }) => name));
  for (const name of without) which.compare(name, gradients.has(name) ? 'a gradient' : 'none', 'none');
  for (const name of trained) {
    which.compare(`${name} is recorded`, withGradient.has(name) || without.has(name) ? 'yes' : 'no', 'yes');
  }
  return { pairs, which: which.item() };
}
