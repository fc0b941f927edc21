/** LISA's losses, gradients and updates against the recording. */
import { join } from 'node:path';
import { nameInModel, toStored } from '../checkpoints/weights.js';
import * as tf from '../engine/tf.js';
import type { JsonReader } from '../io/json/json-reader.js';
import type { Gradients } from '../nn/loss-parts.js';
import { variablesOf } from '../checkpoints/parts.js';
import type { LlavaSam } from '../systems/shared/llava-sam.js';
import { system } from '../systems/lisa/system.js';
import type { FeatureTensors, TrainingBatch } from '../systems/system.js';
import { GradientAccumulator } from '../training/loop/gradient-accumulator.js';
import { Schedule } from '../training/loop/schedule.js';
import { AdamW } from '../training/optimizer/optimizer.js';
import { Worst, largestDifference, largestMagnitude, relativeError, type VerifyItem } from './verify-item.js';
import type { LisaBatch, LisaCase } from './lisa-case.js';
import { featuresOf } from './lisa-forward.js';
import { pair, Recording } from './model-case.js';
import { pairGradients } from './recorded-gradients.js';

const LOSS_TOLERANCE = 1e-5;
const NORM_TOLERANCE = 1e-4;
const GRADIENT_TOLERANCE = 1e-4;
/** Tolerance of the last attention's scores, which add up what cancels. */
const SCORES = /\.final_attn_token_to_image\.[qk]_proj\./;
const SCORE_TOLERANCE = 1e-3;
/** Adding a number to every score of a softmax changes nothing: such gradients are rounding alone. */
const VANISHING_TOLERANCE = 1e-6;
const PARAMETER_TOLERANCE = 3e-4;

/** Changes the model's weights. */
export async function verifyTraining(
  network: LlavaSam,
  recorded: LisaCase,
  pictures: FeatureTensors,
): Promise<VerifyItem[]> {
  const variables = variablesOf(network, system.recipe.trains);
  const batches = (['batch_a', 'batch_b'] as const).map((name) => {
    const batch = recorded.batch(name, network.patches);
    return batchOf(
      recorded,
      batch,
      tf.tidy(() => featuresOf(pictures, batch.pictures)),
    );
  });
  try {
    const step = system.recipe.step(network, variables);
    const run = (index: number): Promise<Gradients> => step(batches[index] as TrainingBatch);
    const once = await verifyOnePass(network, recorded, () => run(0), [...variables.keys()]);
    return [...once, ...(await verifyUpdates(network, recorded, run, variables))];
  } finally {
    for (const { features } of batches) tf.dispose(Object.values(features));
  }
}

function batchOf(recorded: LisaCase, batch: LisaBatch, features: FeatureTensors): TrainingBatch {
  const { rows } = batch;
  const found = rows.statesBefore(recorded.vocabulary.found, 'supervised');
  const places = found.map(({ row, position }) => ({ row, states: [position] }));
  return { rows, places, features, targets: recorded.targets(batch) };
}

/** Losses by our names; mask_loss is the sum of the two. */
function lossesAt(place: JsonReader): Readonly<Record<string, number>> {
  const names = { loss: 'loss', ce: 'ce_loss', bce: 'mask_bce_loss', dice: 'mask_dice_loss', mask: 'mask_loss' };
  return Object.fromEntries(Object.entries(names).map(([own, name]) => [own, place.key(name).number()]));
}

function compareLosses(into: Worst, what: string, found: Gradients['losses'], expected: JsonReader): void {
  const own: Readonly<Record<string, number | undefined>> = {
    ...found,
    mask: (found['bce'] ?? NaN) + (found['dice'] ?? NaN),
  };
  for (const [name, value] of Object.entries(lossesAt(expected)))
    into.add(`${name} of ${what}`, relativeError(own[name] ?? NaN, value));
}

async function verifyOnePass(
  network: LlavaSam,
  recorded: LisaCase,
  step: () => Promise<Gradients>,
  trained: readonly string[],
): Promise<VerifyItem[]> {
  const losses = new Worst();
  const { losses: found, gradients } = await step();
  compareLosses(losses, 'batch A', found, recorded.json.key('losses'));
  try {
    return [
      losses.item('losses', LOSS_TOLERANCE, 'relative'),
      ...(await compareGradients(network, recorded, gradients, trained)),
    ];
  } finally {
    tf.dispose([...gradients.values()]);
  }
}

async function compareGradients(
  network: LlavaSam,
  recorded: LisaCase,
  gradients: ReadonlyMap<string, tf.Tensor>,
  trained: readonly string[],
): Promise<VerifyItem[]> {
  const [without, vanishing, zero] = ['no_grad', 'vanishing_gradients', 'zero_grad'].map((key) => {
    return new Set([...recorded.names(key)].map(nameInModel));
  }) as [Set<string>, Set<string>, Set<string>];
  const expectation = { dir: recorded.dir, trained, without, isZero: (name: string): boolean => zero.has(name) };
  const { pairs, which } = await pairGradients(network, gradients, expectation);
  const [others, scores, zeros, noise] = [new Worst(), new Worst(), new Worst(), new Worst()];
  let squares = 0;
  for (const { name, expected, found, scale } of pairs) {
    squares += found.reduce((sum, value) => sum + value * value, 0);
    if (vanishing.has(name)) noise.add(name, Math.max(largestMagnitude(found), scale));
    else if (zero.has(name)) zeros.add(name, Math.max(largestMagnitude(found), scale));
    else (SCORES.test(name) ? scores : others).add(name, largestDifference(found, expected) / scale);
  }
  const norm = new Worst();
  norm.add('batch A', relativeError(Math.sqrt(squares), recorded.json.key('grad_norm').number()));
  return [
    which,
    norm.item('gradient norm', NORM_TOLERANCE, 'relative'),
    others.item('gradients', GRADIENT_TOLERANCE, 'relative to the largest entry'),
    scores.item("gradients of the last attention's scores", SCORE_TOLERANCE, 'relative to the largest entry'),
    zeros.item('gradients that are 0', 0, 'parameters of the masks that are not used'),
    noise.item('gradients that vanish', VANISHING_TOLERANCE, 'rounding alone'),
  ];
}

async function verifyUpdates(
  network: LlavaSam,
  recorded: LisaCase,
  step: (batch: number) => Promise<Gradients>,
  variables: ReadonlyMap<string, tf.Variable>,
): Promise<VerifyItem[]> {
  const place = recorded.json.key('optimizer');
  const schedule = new Schedule({
    learningRate: place.key('lr').number(),
    warmupUpdates: place.key('warmup').integer(),
    totalUpdates: place.key('total').integer(),
    decay: 'linear',
  });
  const [beta1, beta2] = pair(place.key('betas'));
  const optimizer = new AdamW(variables, {
    beta1,
    beta2,
    eps: place.key('eps').number(),
    weightDecay: place.key('weight_decay').number(),
    clipNorm: place.key('clip').number(),
  });
  const batches = place
    .key('micro_batches')
    .array()
    .map((name) => ['batch_a', 'batch_b'].indexOf(name.string()));
  const [rates, losses, norms] = [new Worst(), new Worst(), new Worst()];
  const items: VerifyItem[] = [];
  try {
    for (const [update, expected] of place.key('trajectory').array().entries()) {
      const sum = new GradientAccumulator(variables, batches.length);
      const what = `update ${update}`;
      const rate = expected.optional('lr')?.number() ?? null;
      // The last entry has the losses behind the last update alone.
      if (rate === null) items.push(...(await compareParameters(network, recorded)));
      try {
        for (const [i, losing] of expected.key('losses').array().entries()) {
          const gradients = await step(batches[i] ?? i);
          compareLosses(losses, `${what}, micro-batch ${i}`, gradients.losses, losing);
          sum.add(gradients);
        }
        if (rate === null) continue;
        const scale = 1 / batches.length;
        const norm = await optimizer.globalNorm(sum.gradients, scale);
        const own = schedule.learningRateAt(update);
        optimizer.apply(sum.gradients, own, norm, scale);
        rates.add(what, relativeError(own, rate));
        norms.add(what, relativeError(norm, expected.key('grad_norm').number()));
      } finally {
        sum.dispose();
      }
    }
  } finally {
    optimizer.dispose();
  }
  return [
    rates.item('updates: learning rate', 1e-9, 'relative'),
    losses.item('updates: losses', LOSS_TOLERANCE, 'relative'),
    norms.item('updates: gradient norm', NORM_TOLERANCE, 'relative'),
    ...items,
  ];
}

async function compareParameters(network: LlavaSam, recorded: LisaCase): Promise<VerifyItem[]> {
  const file = new Recording(join(recorded.dir, 'after_5_updates.safetensors'));
  const parameters = network.namedParameters();
  const vanishing = recorded.names('vanishing_gradients');
  const worst = new Worst();
  for (const recordedName of file.names) {
    if (vanishing.has(recordedName)) continue;
    const parameter = parameters.get(nameInModel(recordedName));
    const found = parameter === undefined ? [] : (await toStored(parameter.variable.read(), parameter.layout)).data;
    worst.add(recordedName, largestDifference(found, file.get(recordedName).data));
  }
  const remark = `absolute; ${vanishing.size} with vanishing gradients left out, which AdamW moves by rounding alone`;
  return [worst.item('updates: parameters afterwards', PARAMETER_TOLERANCE, remark)];
}
