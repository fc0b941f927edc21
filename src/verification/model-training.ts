/** Losses, gradients and five updates against the recording. */
import { join } from 'node:path';
import { variablesOf } from '../checkpoints/parts.js';
import { nameInModel, toStored } from '../checkpoints/weights.js';
import * as tf from '../engine/tf.js';
import type { JsonReader } from '../io/json/json-reader.js';
import type { Gradients } from '../nn/loss-parts.js';
import type { MultimodalRows } from '../networks/multimodal-rows.js';
import type { LlavaSam } from '../systems/shared/llava-sam.js';
import type { FeatureTensors, GroundingModel, Place, Recipe, TrainingBatch, Vocabulary } from '../systems/system.js';
import { GradientAccumulator } from '../training/loop/gradient-accumulator.js';
import { Schedule } from '../training/loop/schedule.js';
import { AdamW } from '../training/optimizer/optimizer.js';
import { pair, type RecordedCase, Recording } from './model-case.js';
import { featuresOf } from './model-forward.js';
import type { TrainingRules } from './training-rules.js';
import {
  itemsOf,
  largestDifference,
  largestMagnitude,
  Mismatches,
  relativeError,
  toleranceItem,
  type VerifyItem,
  Worst,
} from './verify-item.js';

type Variables = ReadonlyMap<string, tf.Variable>;

/** The parts of a recording that tell of training. */
export interface RecordedTraining {
  readonly dir: string;
  /** case.json */
  readonly json: JsonReader;
  readonly recipe: Recipe;
  /** The recorded micro-batches; their features are disposed here. */
  readonly batches: readonly TrainingBatch[];
  /** Positions in `batches` of the micro-batches of an update. */
  readonly microBatches: readonly number[];
  /** Name of a parameter in the model by its recorded one. */
  ownName(recorded: string): string;
}

/** Micro-batches of a recording of GSVA or LISA. @param pictures features of every picture, computed once as in training */
export function recordedTraining(
  network: LlavaSam,
  recorded: RecordedCase,
  pictures: FeatureTensors,
): RecordedTraining {
  const { dir, json, microBatches } = recorded;
  const batches = recorded.batches(network.patches).map(({ rows, targets, pictures: rowsOf }): TrainingBatch => {
    const places = placesOf(rows, recorded.vocabulary);
    return { rows, places, targets, features: tf.tidy(() => featuresOf(pictures, rowsOf)) };
  });
  return { dir, json, microBatches, recipe: recorded.system.recipe, batches, ownName: nameInModel };
}

/** Supervised decisions of a batch that say "found". */
export function placesOf(rows: MultimodalRows, { found }: Pick<Vocabulary, 'found'>): Place[] {
  return rows.statesBefore(found, 'supervised').map(({ row, position }) => ({ row, states: [position] }));
}

/** Changes the model's weights: five updates. */
export async function verifyTraining(
  network: GroundingModel,
  recorded: RecordedTraining,
  rules: TrainingRules,
): Promise<VerifyItem[]> {
  const { recipe, batches } = recorded;
  const variables = variablesOf(network, network.trains);
  try {
    const step = recipe.step(network, variables);
    const run = (index: number): Promise<Gradients> => step(batches[index] as TrainingBatch);
    const once = await verifyOnePass(network, recorded, rules, await run(0), variables);
    return [...once, ...(await verifyUpdates(network, recorded, rules, run, variables))];
  } finally {
    for (const { features } of batches) tf.dispose(features);
  }
}

/** Recorded names of the losses by ours; `mask` is the sum of the two before. */
const RECORDED_LOSSES: Readonly<Record<string, string>> = {
  ...{ loss: 'loss', ce: 'ce_loss', bce: 'mask_bce_loss', dice: 'mask_dice_loss', mask: 'mask_loss' },
};

/** @param weights of losses that are recorded without theirs */
function compareLosses(
  into: Worst,
  what: string,
  found: Gradients['losses'],
  expected: JsonReader,
  weights: TrainingRules['lossWeights'] = {},
): void {
  const own: Gradients['losses'] = { ...found, mask: (found['bce'] ?? NaN) + (found['dice'] ?? NaN) };
  for (const [name, recorded] of Object.entries(RECORDED_LOSSES)) {
    const value = (own[name] ?? NaN) / (weights[name] ?? 1);
    into.add(`${name} of ${what}`, relativeError(value, expected.key(recorded).number()));
  }
}

async function verifyOnePass(
  network: GroundingModel,
  recorded: RecordedTraining,
  rules: TrainingRules,
  { losses: found, gradients }: Gradients,
  variables: Variables,
): Promise<VerifyItem[]> {
  const expected = recorded.json.key('losses');
  try {
    const losses = new Worst('losses', rules.loss, 'relative');
    compareLosses(losses, 'batch A', found, expected, rules.lossWeights);
    const each = ['loss', 'ce', 'bce', 'dice'].map((name) => {
      const [is, shouldBe] = [found[name] ?? NaN, expected.key(RECORDED_LOSSES[name] as string).number()];
      const detail = `${is.toFixed(6)}, expected ${shouldBe.toFixed(6)}`;
      return toleranceItem(`loss: ${name}`, largestDifference([is], [shouldBe]), rules.loss, detail);
    });
    return [
      ...(rules.isEachLoss ? each : itemsOf(losses)),
      ...(await compareGradients(network, recorded, rules, gradients, variables)),
    ];
  } finally {
    tf.dispose([...gradients.values()]);
  }
}

async function compareGradients(
  network: GroundingModel,
  recorded: RecordedTraining,
  rules: TrainingRules,
  gradients: ReadonlyMap<string, tf.Tensor>,
  variables: Variables,
): Promise<VerifyItem[]> {
  const file = new Recording(join(recorded.dir, 'grads.safetensors'));
  const parameters = network.namedParameters();
  const which = new Mismatches('gradients: which parameters have one');
  const groups = rules.gradients.map(({ title, tolerance, remark, ...group }) => {
    return { ...group, worst: new Worst(title, tolerance, remark) };
  });
  const withGradient = new Set<string>();
  let squares = 0;
  for (const recordedName of file.names) {
    const name = recorded.ownName(recordedName);
    withGradient.add(name);
    const expected = file.get(recordedName).data;
    const scale = largestMagnitude(expected);
    const [gradient, layout] = [gradients.get(name), parameters.get(name)?.layout];
    const isMissing = gradient === undefined || layout === undefined;
    const isNone = isMissing && !rules.isZero(name, scale);
    which.compare(name, isNone ? 'none' : 'a gradient', 'a gradient');
    const found = isMissing ? new Float32Array(expected.length) : (await toStored(gradient, layout)).data;
    squares += found.reduce((sum, value) => sum + value * value, 0);
    const group = groups.findLast(({ has }) => has(name, scale));
    if (group?.isZero === true) group.worst.add(name, Math.max(largestMagnitude(found), scale));
    else group?.worst.add(name, largestDifference(found, expected) / scale);
  }
  const without = new Set(
    recorded.json
      .key('no_grad')
      .array()
      .map((name) => recorded.ownName(name.string())),
  );
  for (const name of without) which.compare(name, gradients.has(name) ? 'a gradient' : 'none', 'none');
  for (const name of variables.keys()) {
    which.compare(`${name} is recorded`, withGradient.has(name) || without.has(name) ? 'yes' : 'no', 'yes');
  }
  const gradientItems = itemsOf(...groups.map(({ worst }) => worst));
  if (rules.norm === null) return [which.item(), ...gradientItems];
  const norm = new Worst('gradient norm', rules.norm, 'relative');
  norm.add('batch A', relativeError(Math.sqrt(squares), recorded.json.key('grad_norm').number()));
  return [...itemsOf(which, norm), ...gradientItems];
}

async function verifyUpdates(
  network: GroundingModel,
  recorded: RecordedTraining,
  rules: TrainingRules,
  step: (batch: number) => Promise<Gradients>,
  variables: Variables,
): Promise<VerifyItem[]> {
  const place = recorded.json.key('optimizer');
  const schedule = new Schedule({
    learningRate: place.key('lr').number(),
    warmupUpdates: place.key('warmup').integer(),
    totalUpdates: place.key('total').integer(),
    decay: 'linear',
    ...(rules.schedule === undefined ? {} : { form: rules.schedule }),
  });
  const [beta1, beta2] = pair(place.key('betas'));
  const optimizer = new AdamW(variables, {
    beta1,
    beta2,
    eps: place.key('eps').number(),
    weightDecay: place.key('weight_decay').number(),
    clipNorm: place.key('clip').number(),
  });
  const { microBatches } = recorded;
  const rates = new Worst('updates: learning rate', 1e-9, 'relative');
  const losses = new Worst(rules.isEachLoss ? 'updates: loss' : 'updates: losses', rules.updateLoss, 'relative');
  const norms = new Worst('updates: gradient norm', rules.updateNorm, 'relative');
  let parameters: VerifyItem | null = null;
  try {
    for (const [update, expected] of place.key('trajectory').array().entries()) {
      const what = `update ${update}`;
      // Either of each micro-batch, or their mean. The last entry of the former has the losses behind all updates alone.
      const each = expected.optional('losses')?.array();
      const isLast = each !== undefined && expected.optional('lr') === null;
      if (isLast) parameters = await compareParameters(network, recorded, rules);
      const sum = new GradientAccumulator(variables, microBatches.length);
      try {
        for (let i = 0; i < (each ?? microBatches).length; i++) {
          const gradients = await step(microBatches[i] ?? i);
          if (each !== undefined) {
            const place = each[i] as JsonReader;
            compareLosses(losses, `${what}, micro-batch ${i}`, gradients.losses, place, rules.lossWeights);
          }
          sum.add(gradients);
        }
        if (isLast) continue;
        const scale = rules.isSummed === true ? 1 : 1 / microBatches.length;
        const norm = await optimizer.globalNorm(sum.gradients, scale);
        const rate = schedule.learningRateAt(update);
        optimizer.apply(sum.gradients, rate, norm, scale);
        rates.add(what, relativeError(rate, expected.key('lr').number()));
        norms.add(what, relativeError(norm, expected.key('grad_norm').number()));
        if (each === undefined)
          losses.add(what, relativeError(sum.losses['loss'] ?? NaN, expected.key('loss').number()));
      } finally {
        sum.dispose();
      }
    }
  } finally {
    optimizer.dispose();
  }
  return [...itemsOf(rates, losses, norms), parameters ?? (await compareParameters(network, recorded, rules))];
}

/** The weights that the updates lead to. */
async function compareParameters(
  network: GroundingModel,
  recorded: RecordedTraining,
  { parameter: tolerance, isParameterRelative: isRelative, isNoise, parameterRemark }: TrainingRules,
): Promise<VerifyItem> {
  const file = new Recording(join(recorded.dir, 'after_5_updates.safetensors'));
  const parameters = network.namedParameters();
  const names = file.names.filter((name) => !isNoise(recorded.ownName(name)));
  const remark = parameterRemark(file.names.length - names.length);
  const worst = new Worst('updates: parameters afterwards', tolerance, remark);
  for (const recordedName of names) {
    const name = recorded.ownName(recordedName);
    const expected = file.get(recordedName).data;
    const parameter = parameters.get(name);
    const found = parameter === undefined ? [] : (await toStored(parameter.variable.read(), parameter.layout)).data;
    const scale = isRelative ? Math.max(largestMagnitude(expected), Number.MIN_VALUE) : 1;
    worst.add(isRelative ? name : recordedName, largestDifference(found, expected) / scale);
  }
  return worst.item();
}
