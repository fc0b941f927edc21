/** Batches for the small model, and gradients to compare with: of the whole forward on one tape, and by differences. */
import { expect } from '@jest/globals';
import { segIds } from '../../src/systems/shared/model-config.js';
import * as tf from '../../src/engine/tf.js';
import { MultimodalRows, type TokenBatch } from '../../src/networks/multimodal-rows.js';
import type { Gradients } from '../../src/nn/loss-parts.js';
import { Random } from '../../src/random.js';
import type { LlavaSam } from '../../src/systems/shared/llava-sam.js';
import { GROUNDING_RECIPE } from '../../src/systems/shared/llava-sam-step.js';
import type { StepOptions } from '../../src/systems/system.js';
import type { MaskTargets } from '../../src/systems/system.js';
import type { SamBatch } from '../../src/training/base/base-sam-task.js';
import { largest, largestDifference, normal, valuesOf } from './tensors.js';

export interface GsvaBatch {
  readonly tokens: TokenBatch;
  readonly clipFeatures: tf.Tensor3D;
  readonly imageEmbeddings: tf.Tensor4D;
  readonly targets: readonly MaskTargets[];
}

/** The recipe's step; masks are asked for by the states before every supervised [SEG]. */
export function gsvaStep(
  model: LlavaSam,
  { tokens, targets, clipFeatures, imageEmbeddings }: GsvaBatch,
  variables: ReadonlyMap<string, tf.Variable>,
  options: StepOptions = {},
): Promise<Gradients> {
  const rows = new MultimodalRows(tokens, model.patches);
  const found = rows.statesBefore(segIds(model.config.tokens), 'supervised');
  const places = found.map(({ row, position }) => ({ row, states: [position] }));
  const features = { clip: clipFeatures, sam: imageEmbeddings };
  return GROUNDING_RECIPE.step(model, variables)({ rows, features, places, targets }, options);
}

function targets(random: Random, count: number, rejected: number, height: number, width: number): MaskTargets {
  const masks = Array.from({ length: count }, () => {
    return { data: Uint8Array.from({ length: height * width }, () => random.integer(2)), height, width };
  });
  // Inside the square of 32.
  const scale = 32 / Math.max(height, width);
  return {
    masks,
    rejected,
    resized: [Math.round(height * scale), Math.round(width * scale)],
    original: [height, width],
  };
}

const IGNORE = -100;

/** Two conversations of different length: [SEG] [SEG] [REJ] about an image, and one [SEG] about another. */
export function gsvaBatch(): GsvaBatch {
  const random = new Random(11);
  return {
    tokens: {
      inputIds: Int32Array.of(1, 22, -200, 23, 5, 20, 6, 20, 21, 2, /**/ 1, 22, -200, 23, 7, 20, 2, 0, 0, 0),
      labels: Int32Array.of(
        ...[IGNORE, IGNORE, IGNORE, IGNORE, 5, 20, 6, 20, 21, 2],
        ...[IGNORE, IGNORE, IGNORE, IGNORE, IGNORE, 20, 2, IGNORE, IGNORE, IGNORE],
      ),
      lengths: [10, 7],
      batch: 2,
      time: 10,
    },
    clipFeatures: normal(random, [2, 4, 8]) as tf.Tensor3D,
    imageEmbeddings: normal(random, [2, 4, 4, 16]) as tf.Tensor4D,
    targets: [targets(random, 2, 1, 12, 20), targets(random, 1, 0, 16, 10)],
  };
}

/** The same text with no mask asked for: every [SEG] and [REJ] is another word. */
export function gsvaBatchWithoutMasks(): GsvaBatch {
  const batch = gsvaBatch();
  const word = (id: number): number => (id === 20 || id === 21 ? 9 : id);
  const { inputIds, labels } = batch.tokens;
  return {
    ...batch,
    tokens: { ...batch.tokens, inputIds: inputIds.map(word), labels: labels === null ? null : labels.map(word) },
    targets: batch.targets.map((target) => ({ ...target, masks: [], rejected: 0 })),
  };
}

/** Two images, three masks: a point with padding, a box, two points. */
export function samBatch(): SamBatch {
  const random = new Random(12);
  return {
    images: normal(random, [2, 32, 32, 3]) as tf.Tensor4D,
    coordinates: Float32Array.of(3, 9, 0, 0, /**/ 4, 5, 25, 16, /**/ 10, 11, 20, 2),
    labels: Int32Array.of(1, -1, /**/ 2, 3, /**/ 1, 0),
    points: 2,
    targets: [targets(random, 2, 0, 12, 20), targets(random, 1, 0, 16, 10)],
  };
}

/** Gradients of a whole loss by name, in one go; variables that it does not reach are left out. */
export function oneTape(loss: () => tf.Tensor, variables: ReadonlyMap<string, tf.Variable>): Map<string, Float32Array> {
  const { value, grads } = tf.variableGrads(() => loss() as tf.Scalar, [...variables.values()]);
  const out = new Map<string, Float32Array>();
  for (const [name, variable] of variables) {
    const gradient = (grads as Record<string, tf.Tensor | null>)[variable.name] ?? null;
    if (gradient !== null) out.set(name, valuesOf(gradient));
  }
  tf.dispose([value, ...Object.values(grads)]);
  return out;
}

/** The same variables, and each gradient equal up to rounding. */
export function expectSameGradients(
  found: ReadonlyMap<string, tf.Tensor>,
  expected: ReadonlyMap<string, Float32Array>,
): void {
  expect([...found.keys()].sort()).toEqual([...expected.keys()].sort());
  const overall = Math.max(...[...expected.values()].map(largest));
  for (const [name, gradient] of found) {
    const values = expected.get(name) ?? new Float32Array();
    // Where a gradient is zero in truth (biases of keys), both are rounding.
    const tolerance = 1e-5 * largest(values) + 1e-7 * overall;
    expect([name, largestDifference(valuesOf(gradient), values) <= tolerance]).toEqual([name, true]);
  }
}

/**
 * Central differences of the loss at the largest entry of each gradient, for some variables spread over the model.
 * The steps are small numbers in float32: gradients below `floor` would be noise and are passed over.
 */
export function expectSlopes(
  loss: () => number,
  variables: ReadonlyMap<string, tf.Variable>,
  gradients: ReadonlyMap<string, tf.Tensor>,
  { every, floor }: { every: number; floor: number },
): number {
  const step = 4e-3;
  let checked = 0;
  const names = [...gradients.keys()].filter((name) => largest(valuesOf(gradients.get(name) as tf.Tensor)) > floor);
  for (const name of names.filter((_, index) => index % every === 0)) {
    const variable = variables.get(name) as tf.Variable;
    const gradient = valuesOf(gradients.get(name) as tf.Tensor);
    const at = gradient.findIndex((value) => Math.abs(value) === largest(gradient));
    const original = valuesOf(variable);
    const lossAt = (offset: number): number => {
      const moved = original.map((value, index) => (index === at ? value + offset : value));
      tf.tidy(() => {
        variable.assign(tf.tensor(moved, variable.shape));
      });
      return loss();
    };
    const slope = (lossAt(step) - lossAt(-step)) / (2 * step);
    lossAt(0);
    const error = Math.abs(slope - (gradient[at] as number)) / Math.abs(gradient[at] as number);
    expect([name, error < 0.02 ? 0 : error]).toEqual([name, 0]);
    checked++;
  }
  return checked;
}
