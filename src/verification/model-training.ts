/** Losses, gradients and five updates against the recording. */
import { join } from 'node:path';
import * as tf from '../engine/tf.js';
import type { LlavaSam } from '../systems/shared/llava-sam.js';
import { encodeImages, stackFeatures } from '../features/image-features.js';
import { nameInModel, toStored } from '../checkpoints/weights.js';
import { GradientAccumulator } from '../training/loop/gradient-accumulator.js';
import { AdamW } from '../training/optimizer/optimizer.js';
import { Schedule } from '../training/loop/schedule.js';
import { MultimodalRows } from '../networks/multimodal-rows.js';
import { variablesOf } from '../checkpoints/parts.js';
import { GROUNDING_RECIPE } from '../systems/shared/llava-sam-step.js';
import type { TrainingBatch, TrainingStep } from '../systems/system.js';
import {
  Worst,
  largestDifference,
  largestMagnitude,
  relativeError,
  toleranceItem,
  type VerifyItem,
} from './verify-item.js';
import { type ModelCase, Recording } from './model-case.js';
import { pairGradients } from './recorded-gradients.js';

const LOSS_TOLERANCE = 1e-4;
/** Relative to the largest entry of the same gradient. */
const GRADIENT_TOLERANCE = 1e-3;
/** Relative. */
const TRAJECTORY_TOLERANCE = 1e-3;
/** Relative to the largest entry of the same parameter. */
const PARAMETER_TOLERANCE = 1e-3;

/**
 * Adding the same number to every score of a softmax changes nothing, and that is all a key's bias does: its true
 * gradient is 0. What is recorded is rounding noise of some 1e-9, which Adam, dividing by its size, turns into full
 * steps of arbitrary sign; they influence no output. Noise is held to be noise, not compared.
 */
const MATHEMATICALLY_ZERO = /\.mask_decoder\..*\.k_proj\.bias$/;
const NOISE_TOLERANCE = 1e-7;

/** Changes the model's weights: five updates. */
export async function verifyTraining(gsva: LlavaSam, recorded: ModelCase): Promise<VerifyItem[]> {
  const batch = await frozenBatch(gsva, recorded);
  try {
    const variables = variablesOf(gsva, GROUNDING_RECIPE.trains);
    const step = GROUNDING_RECIPE.step(gsva, variables);
    const once = await verifyOnePass(gsva, recorded, () => step(batch), [...variables.keys()]);
    return [...once, ...(await verifyUpdates(gsva, recorded, () => step(batch), variables))];
  } finally {
    tf.dispose(batch.features);
  }
}

/** Features of the frozen encoders are computed once, as in training. */
async function frozenBatch(gsva: LlavaSam, recorded: ModelCase): Promise<TrainingBatch> {
  const features = stackFeatures(gsva, await encodeImages(gsva, await recorded.preparedImages()));
  const rows = new MultimodalRows(recorded.tokens, gsva.patches);
  const found = rows.statesBefore(recorded.vocabulary.found, 'supervised');
  const places = found.map(({ row, position }) => ({ row, states: [position] }));
  return { rows, places, features, targets: recorded.targets() };
}

async function verifyOnePass(
  gsva: LlavaSam,
  recorded: ModelCase,
  step: () => ReturnType<TrainingStep>,
  trainable: readonly string[],
): Promise<VerifyItem[]> {
  const { losses, gradients } = await step();
  try {
    const lossItems = Object.entries(recorded.losses).map(([name, expected]) => {
      const found = losses[name] ?? NaN;
      const error = largestDifference([found], [expected]);
      return toleranceItem(
        `loss: ${name}`,
        error,
        LOSS_TOLERANCE,
        `${found.toFixed(6)}, expected ${expected.toFixed(6)}`,
      );
    });
    return [...lossItems, ...(await compareGradients(gsva, recorded, gradients, trainable))];
  } finally {
    tf.dispose([...gradients.values()]);
  }
}

async function compareGradients(
  gsva: LlavaSam,
  recorded: ModelCase,
  gradients: ReadonlyMap<string, tf.Tensor>,
  trainable: readonly string[],
): Promise<VerifyItem[]> {
  const without = new Set(recorded.withoutGradient.map(nameInModel));
  const expectation = {
    dir: recorded.dir,
    trained: trainable,
    without,
    isZero: (_: string, scale: number) => scale === 0,
  };
  const { pairs, which } = await pairGradients(gsva, gradients, expectation);
  const [worst, zero, noise] = [new Worst(), new Worst(), new Worst()];
  for (const { name, expected, found, scale } of pairs) {
    if (MATHEMATICALLY_ZERO.test(name)) noise.add(name, Math.max(largestMagnitude(found), scale));
    else if (scale === 0) zero.add(name, largestMagnitude(found));
    else worst.add(name, largestDifference(found, expected) / scale);
  }
  return [
    which,
    worst.item('gradients', GRADIENT_TOLERANCE, 'relative to the largest entry'),
    zero.item('gradients that are 0', 0, 'parameters of the masks that are not used'),
    noise.item(
      'gradients of k_proj.bias',
      NOISE_TOLERANCE,
      'mathematically 0 (softmax), recorded as rounding noise; absolute',
    ),
  ];
}

async function verifyUpdates(
  gsva: LlavaSam,
  recorded: ModelCase,
  step: () => ReturnType<TrainingStep>,
  variables: ReadonlyMap<string, tf.Variable>,
): Promise<VerifyItem[]> {
  const { learningRate, warmup, total, betas, eps, weightDecay, clip, accumulation, trajectory } = recorded.optimizer;
  const schedule = new Schedule({ learningRate, warmupUpdates: warmup, totalUpdates: total, decay: 'linear' });
  const [beta1, beta2] = betas;
  const optimizer = new AdamW(variables, { beta1, beta2, eps, weightDecay, clipNorm: clip });
  const [rates, losses, norms] = [new Worst(), new Worst(), new Worst()];
  try {
    for (const [update, expected] of trajectory.entries()) {
      const sum = new GradientAccumulator(variables, accumulation);
      try {
        for (let i = 0; i < accumulation; i++) sum.add(await step());
        const scale = 1 / accumulation;
        const norm = await optimizer.globalNorm(sum.gradients, scale);
        const rate = schedule.learningRateAt(update);
        optimizer.apply(sum.gradients, rate, norm, scale);
        const name = `update ${update}`;
        rates.add(name, relativeError(rate, expected.lr));
        losses.add(name, relativeError(sum.losses['loss'] ?? NaN, expected.loss));
        norms.add(name, relativeError(norm, expected.gradNorm));
      } finally {
        sum.dispose();
      }
    }
  } finally {
    optimizer.dispose();
  }
  return [
    rates.item('updates: learning rate', 1e-9, 'relative'),
    losses.item('updates: loss', TRAJECTORY_TOLERANCE, 'relative'),
    norms.item('updates: gradient norm', TRAJECTORY_TOLERANCE, 'relative'),
    ...(await compareParameters(gsva, recorded)),
  ];
}

/** The weights that the updates lead to. */
async function compareParameters(gsva: LlavaSam, recorded: ModelCase): Promise<VerifyItem[]> {
  const file = new Recording(join(recorded.dir, 'after_5_updates.safetensors'));
  const parameters = gsva.namedParameters();
  const worst = new Worst();
  let noise = 0;
  for (const recordedName of file.names) {
    const name = nameInModel(recordedName);
    if (MATHEMATICALLY_ZERO.test(name)) {
      noise++;
      continue;
    }
    const expected = file.get(recordedName).data;
    const parameter = parameters.get(name);
    const found = parameter === undefined ? [] : (await toStored(parameter.variable.read(), parameter.layout)).data;
    worst.add(name, largestDifference(found, expected) / Math.max(largestMagnitude(expected), Number.MIN_VALUE));
  }
  const remark = `relative to the largest entry; ${noise} k_proj.bias left out, which Adam moves by rounding noise alone`;
  return [worst.item('updates: parameters afterwards', PARAMETER_TOLERANCE, remark)];
}
