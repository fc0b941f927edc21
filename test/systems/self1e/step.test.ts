/** The whole step: gradients equal those of one tape over the whole objective, whatever the batch is about. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../../src/engine/engine.js';
import * as fused from '../../../src/engine/fused-ops.js';
import * as tf from '../../../src/engine/tf.js';
import { withoutClass } from '../../../src/networks/intern-vit/intern-vit.js';
import { MultimodalRows, type RowPicture } from '../../../src/networks/multimodal-rows.js';
import { statesAt } from '../../../src/networks/states-at.js';
import { Random } from '../../../src/random.js';
import { scoreBias } from '../../../src/systems/self1e/attention-bias.js';
import type { Self1eConfig } from '../../../src/systems/self1e/config.js';
import { maskLosses, reducedTargets } from '../../../src/systems/self1e/mask-losses.js';
import type { Self1e } from '../../../src/systems/self1e/model.js';
import { SELF1E_RECIPE } from '../../../src/systems/self1e/step.js';
import { tilesOf } from '../../../src/systems/self1e/tiles.js';
import type { StepOptions, TrainingBatch } from '../../../src/systems/system.js';
import { trainableVariables } from '../../../src/training/trainable.js';
import { expectSameGradients, expectSlopes, oneTape } from '../../helpers/small-batches.js';
import { SMALL_SELF1E, smallSelf1e } from '../../helpers/small-self1e.js';
import { largest, largestDifference, normal, valuesOf } from '../../helpers/tensors.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

const SEG = SMALL_SELF1E.tokens.seg;
const PATCHES = 4;
const ONE: RowPicture['grid'] = { columns: 1, rows: 1 };

interface Row {
  readonly ids: readonly number[];
  /** Ids before these are the question. */
  readonly answerFrom: number;
  readonly picture: RowPicture;
  /** Size of the picture's masks. */
  readonly size?: readonly [number, number];
}

/** A batch of these rows; all tokens of an answer are supervised. */
function batchOf(tiles: number, ...rows: readonly Row[]): TrainingBatch {
  const random = new Random(11);
  const lengths = rows.map(({ ids }) => ids.length);
  const time = Math.max(...lengths);
  const [inputIds, labels] = [new Int32Array(rows.length * time), new Int32Array(rows.length * time).fill(-100)];
  for (const [row, { ids, answerFrom }] of rows.entries()) {
    inputIds.set(ids, row * time);
    labels.set(ids.slice(answerFrom), row * time + answerFrom);
  }
  const tokens = { inputIds, labels, lengths, batch: rows.length, time };
  const layout = new MultimodalRows(
    tokens,
    PATCHES,
    rows.map(({ picture }) => picture),
  );
  const places = layout.statesBefore([SEG], 'supervised').map(({ row, position }) => ({ row, states: [position] }));
  const targets = rows.map(({ size = [1, 1] }, row) => {
    const [height, width] = size;
    const masks = places
      .filter((place) => place.row === row)
      .map(() => {
        return { data: Uint8Array.from({ length: height * width }, () => random.integer(2)), height, width };
      });
    return { masks, rejected: 0, original: size, resized: size };
  });
  const features = { vit: normal(random, [Math.max(1, tiles), 16, 16, 3]) };
  return { rows: layout, places, targets, features };
}

const tile = (firstTile: number): RowPicture => ({ firstTile, tiles: 1, grid: ONE });

/** A question, another about the same picture, and a dialogue about a second. */
const questions = (): TrainingBatch =>
  batchOf(
    2,
    { ids: [5, -200, 6, 7, SEG, 23], answerFrom: 4, picture: tile(0), size: [12, 20] },
    { ids: [5, -200, 8, SEG, 23], answerFrom: 3, picture: tile(0), size: [12, 20] },
    { ids: [5, -200, 9, 0, 10, 11, 23], answerFrom: 4, picture: tile(1) },
  );
/** Two [SEG] about tiles beside each other, with a thumbnail, and one about a grid of 1 × 2 with a mask above 128. */
const tiled = (): TrainingBatch =>
  batchOf(
    5,
    {
      ids: [5, -200, 6, SEG, 7, SEG, 23],
      answerFrom: 3,
      picture: { firstTile: 0, tiles: 3, grid: { columns: 2, rows: 1 } },
      size: [9, 20],
    },
    {
      ids: [5, -200, 8, SEG, 23],
      answerFrom: 3,
      picture: { firstTile: 3, tiles: 2, grid: { columns: 1, rows: 2 } },
      size: [150, 140],
    },
  );
const dialogues = (): TrainingBatch =>
  batchOf(
    1,
    { ids: [5, -200, 6, 7, 8, 23], answerFrom: 3, picture: tile(0) },
    { ids: [5, 9, 10, 23], answerFrom: 2, picture: { firstTile: 0, tiles: 0, grid: ONE } },
  );
const textAlone = (): TrainingBatch =>
  batchOf(0, { ids: [5, 6, 7, 8, 23], answerFrom: 3, picture: { firstTile: 0, tiles: 0, grid: ONE } });

const DECODER_SEEDS = 2 ** 14;

/** L of the whole objective, on one tape. */
function wholeLoss(model: Self1e, batch: TrainingBatch, seed: number | null): tf.Scalar {
  const { rows, places, targets, features } = batch;
  const { projector, decoder, refill, config } = model;
  const { vit } = model.encoders;
  const embedded = vit.embed(features['vit'] as tf.Tensor);
  const seen = withoutClass(vit.stack(seed).reduce<tf.Tensor>((x, layer) => layer(x), embedded));
  const patches = model.patchGrids({ vit: seen });
  const tokens = projector.tokens(patches);
  const fine = projector.fine(patches, config.refill.retaining);
  const context = {
    ...decoder.context(0, rows.time, rows.lengths, seed === null ? null : seed + DECODER_SEEDS),
    scoreBias: scoreBias(rows, config.tokens, {}, null),
  };
  const last = decoder.stack(context).reduce<tf.Tensor>((x, layer) => layer(x), model.embed(rows, tokens));
  const hidden = decoder.norm.forward(last) as tf.Tensor3D;
  const supervised = rows.supervised();
  const logits = model.logits(statesAt(hidden, supervised.positions));
  const ce = fused.softmaxCrossEntropy(logits, tf.tensor1d(supervised.targets, 'int32'));
  const parts: tf.Tensor[] = [tf.mul(ce, config.loss.ce)];
  for (const [row, { masks, original }] of targets.entries()) {
    if (masks.length === 0) continue;
    const picture = rows.pictureOf(row);
    const own = { tokens: tilesOf(tokens, picture), fine: fine === null ? null : tilesOf(fine, picture) };
    const states: tf.Tensor4D = tf.reshape(statesAt(hidden, model.picturePositions(rows, row)), own.tokens.shape);
    const decisions = places.filter((place) => place.row === row).flatMap((place) => place.states);
    const { high, low } = refill.masks(model.joined(picture, states, own), statesAt(hidden, decisions));
    const { bce, dice } = maskLosses([high, low()], reducedTargets(masks, ...original));
    // The divisor counts dialogues too.
    parts.push(tf.div(tf.add(tf.mul(bce, config.loss.bce), tf.mul(dice, config.loss.dice)), targets.length));
  }
  return tf.addN(parts) as tf.Scalar;
}

function lossOf(model: Self1e, batch: TrainingBatch): number {
  return tf.tidy(() => wholeLoss(model, batch, null).dataSync()[0] as number);
}

type Variables = ReadonlyMap<string, tf.Variable>;

function step(model: Self1e, batch: TrainingBatch, variables: Variables, options: StepOptions = {}) {
  return SELF1E_RECIPE.step(model, variables)(batch, options);
}

const plain: Partial<Self1eConfig> = {};
const dropping: Partial<Self1eConfig> = { lora: { ...SMALL_SELF1E.lora, dropout: 0.4 } };
const scanning: Partial<Self1eConfig> = { refill: { retaining: 'scanning', amplifier: false, deviation: 0.02 } };
const none: Partial<Self1eConfig> = { refill: { retaining: 'none', amplifier: true, deviation: 0.02 } };

describe('SELF1E_RECIPE', () => {
  test.each([
    { what: 'several questions on one picture and a dialogue', make: questions, changes: plain },
    { what: 'several tiles, several [SEG], a mask above 128', make: tiled, changes: plain },
    { what: 'dialogues alone, one without a picture', make: dialogues, changes: plain },
    { what: 'text alone', make: textAlone, changes: plain },
    { what: 'LoRA dropout', make: questions, changes: dropping, seed: 9 },
    { what: 'every variable (stage base-whole)', make: tiled, changes: plain, stage: 'base-whole' as const },
    { what: 'scanning, no amplifier', make: questions, changes: scanning },
    { what: 'no features at the resolution of the pixels', make: tiled, changes: none },
  ])('gradients equal one tape: $what', async ({ make, changes, seed = null, stage = 'gsva' as const }) => {
    const model = smallSelf1e(1, changes);
    const batch = make();
    const variables = trainableVariables(model, stage);
    const numTensors = tf.memory().numTensors;
    const { losses, gradients } = await step(model, batch, variables, { dropoutSeed: seed });
    expect(tf.memory().numTensors).toBe(numTensors + gradients.size);
    const onTape = await step(model, batch, variables, { dropoutSeed: seed, recompute: false });
    for (const name of Object.keys(losses)) expect(onTape.losses[name]).toBeCloseTo(losses[name] ?? NaN, 6);
    expect([...onTape.gradients.keys()].sort()).toEqual([...gradients.keys()].sort());
    for (const [name, gradient] of onTape.gradients) {
      const values = valuesOf(gradients.get(name) as tf.Tensor);
      expect([name, largestDifference(valuesOf(gradient), values) <= 1e-6 * largest(values)]).toEqual([name, true]);
    }
    tf.dispose([...onTape.gradients.values()]);
    const { loss = NaN, ce = NaN, bce = NaN, dice = NaN } = losses;
    expect(loss).toBeCloseTo(
      tf.tidy(() => wholeLoss(model, batch, seed).arraySync()),
      4,
    );
    expect(ce + bce + dice).toBeCloseTo(loss, 5);
    const expected = oneTape(() => wholeLoss(model, batch, seed), variables);
    // What the objective does not reach is 0 or absent.
    const reached = new Map([...gradients].filter(([name, x]) => expected.has(name) || largest(valuesOf(x)) > 0));
    for (const [name, values] of expected) if (!reached.has(name) && largest(values) === 0) expected.delete(name);
    expectSameGradients(reached, expected);
    tf.dispose([...gradients.values()]);
    expect(tf.memory().numTensors).toBe(numTensors);
    tf.dispose(Object.values(batch.features));
    model.dispose();
  });

  test('gradients are the slopes of the loss, in the vision transformer too', async () => {
    const model = smallSelf1e(1);
    const batch = questions();
    const variables = trainableVariables(model, 'gsva');
    const { gradients } = await step(model, batch, variables);
    const checked = expectSlopes(() => lossOf(model, batch), variables, gradients, { every: 5, floor: 0.01 });
    expect(checked).toBeGreaterThan(6);
    expect([...gradients.keys()].some((name) => name.startsWith('vision_model'))).toBe(true);
    tf.dispose([...gradients.values()]);
    model.dispose();
  });

  test('stage base-whole covers every variable', async () => {
    const model = smallSelf1e(1);
    const variables = trainableVariables(model, 'base-whole');
    expect([...variables.keys()]).toEqual([...model.namedParameters().keys()]);
    const batch = questions();
    const { gradients } = await step(model, batch, variables);
    expect([...gradients.keys()].sort()).toEqual([...variables.keys()].sort());
    tf.dispose([...gradients.values()]);
    model.dispose();
  });

  test('dropout: the same seed gives the same losses, another one others', async () => {
    const model = smallSelf1e(1, dropping);
    const batch = questions();
    const variables = trainableVariables(model, 'gsva');
    const lossWith = async (dropoutSeed: number | null): Promise<number> => {
      const { losses, gradients } = await step(model, batch, variables, { dropoutSeed });
      tf.dispose([...gradients.values()]);
      return losses['loss'] ?? NaN;
    };
    const first = await lossWith(3);
    expect(await lossWith(3)).toBe(first);
    expect(Math.abs((await lossWith(4)) - first)).toBeGreaterThan(1e-4);
    expect(await lossWith(null)).toBeCloseTo(lossOf(model, batch), 4);
    model.dispose();
  });

  test('the numbers of masks and [SEG] are in the error where they do not match, and nothing is left behind', async () => {
    const model = smallSelf1e(1);
    const batch = tiled();
    const wrong = { ...batch, targets: batch.targets.map((target) => ({ ...target, masks: target.masks.slice(1) })) };
    const numTensors = tf.memory().numTensors;
    const variables = trainableVariables(model, 'gsva');
    await expect(step(model, wrong, variables)).rejects.toThrow('answer 0 holds 2 decisions for 1 masks');
    expect(tf.memory().numTensors).toBe(numTensors);
    model.dispose();
  });
});
