/** SELF1E's gradients between the parts, and its training, against the recording. */
import * as tf from '../engine/tf.js';
import * as fused from '../engine/fused-ops.js';
import { statesAt } from '../networks/states-at.js';
import { scoreBias } from '../systems/self1e/attention-bias.js';
import { maskLosses, reducedTargets } from '../systems/self1e/mask-losses.js';
import type { Self1e } from '../systems/self1e/model.js';
import type { Tap } from '../systems/self1e/refill.js';
import { system } from '../systems/self1e/system.js';
import { tilesOf } from '../systems/self1e/tiles.js';
import type { TrainingBatch } from '../systems/system.js';
import { placesOf, type RecordedTraining, verifyTraining } from './model-training.js';
import type { Self1eCase } from './self1e-case.js';
import { best, OF_TILES, relativeItem, tileByTile } from './self1e-compared.js';
import { positionsByRow } from './self1e-heads.js';
import { self1eRules } from './training-rules.js';
import { relativeError, toleranceItem, type VerifyItem } from './verify-item.js';

const GRADIENT_TOLERANCE = 1e-4;

/** Changes the model's weights: five updates. */
export async function verifySelf1eTraining(network: Self1e, recorded: Self1eCase): Promise<VerifyItem[]> {
  const used = recorded.json
    .key('optimizer')
    .key('micro_batches')
    .array()
    .map((place) => place.string());
  const isSummed = recorded.json.key('optimizer').key('accumulation').oneOf(['sum', 'mean']) === 'sum';
  const names = [...new Set(['batch', ...used])];
  const batches = names.map((name) => trainingBatch(recorded, prefixOf(name)));
  const { ce, ...lossWeights } = network.config.loss;
  const record: RecordedTraining = {
    dir: recorded.dir,
    json: recorded.json,
    recipe: system.recipe,
    batches,
    microBatches: used.map((name) => names.indexOf(name)),
    ownName: (name) => recorded.ownName(name),
  };
  return [
    await dialogueItem(network, recorded),
    ...(await partGradients(network, recorded, batches[0] as TrainingBatch)),
    ...(await verifyTraining(network, record, self1eRules({ ...lossWeights, ce }, isSummed))),
  ];
}

/** Prefix of a micro-batch's tensors: "batch" has none, that of "batch_b" is "b.". */
function prefixOf(batch: string): string {
  return batch === 'batch' ? '' : `${batch.replace(/^batch_/, '')}.`;
}

function trainingBatch(recorded: Self1eCase, prefix: string): TrainingBatch {
  const { rows, pictures } = recorded.rows(prefix);
  const targets = rows.lengths.map((_, row) => recorded.targets(prefix, row));
  return { rows, targets, places: placesOf(rows, recorded.vocabulary), features: { vit: pictures } };
}

/** The loss of a dialogue alone, about two tiles: no mask. */
async function dialogueItem(network: Self1e, recorded: Self1eCase): Promise<VerifyItem> {
  const { rows, pictures } = recorded.rows('vqa.');
  const step = system.recipe.step(network, new Map());
  try {
    const targets = rows.lengths.map((_, row) => recorded.targets('vqa.', row));
    const { losses } = await step({ rows, targets, places: [], features: { vit: pictures } });
    const expected = recorded.json.key('vqa').key('losses').key('loss').number();
    return toleranceItem('vqa: loss', relativeError(losses['loss'] ?? NaN, expected), 1e-5, 'relative');
  } finally {
    pictures.dispose();
  }
}

/** Gradients of the total loss by what the parts hand on, all on one tape. */
async function partGradients(network: Self1e, recorded: Self1eCase, batch: TrainingBatch): Promise<VerifyItem[]> {
  const names = recorded.tensors.names.filter((name) => name.startsWith('grad.'));
  const { lengths } = batch.rows;
  const gradients = tf.tidy(() => {
    // What is added to each result: zeros, by which the loss is differentiated.
    const zeros = names.map((name) => tf.zeros(recorded.tensors.get(name).shape as number[]));
    const loss = (...added: tf.Tensor[]): tf.Scalar => {
      return tappedLoss(network, batch, (name, x) => {
        const zero = added[names.indexOf(`grad.${name}`)];
        return zero === undefined ? x : tf.add(x, tf.reshape(zero, x.shape));
      });
    };
    return tf.grads(loss)(zeros);
  });
  try {
    const items: VerifyItem[] = [];
    for (const [i, name] of names.entries()) {
      const rows = name === 'grad.llm.last' ? lengths : undefined;
      const orders = inEitherOrder(name, gradients[i] as tf.Tensor, batch);
      try {
        const found: VerifyItem[] = [];
        for (const order of orders) {
          found.push(relativeItem(recorded, name, await order.data<'float32'>(), rows, GRADIENT_TOLERANCE));
        }
        items.push(best(found));
      } finally {
        tf.dispose(orders);
      }
    }
    return items;
  } finally {
    tf.dispose(gradients);
  }
}

/** A gradient, and where it is of a picture of several tiles the same tile by tile; owned by the caller. */
function inEitherOrder(name: string, gradient: tf.Tensor, { rows }: TrainingBatch): tf.Tensor[] {
  return tf.tidy(() => {
    const [, row = '', part = ''] = /^grad\.head\.(\d+)\.(\w+)$/.exec(name) ?? [];
    if (!OF_TILES.includes(part)) return [tf.clone(gradient)];
    const { grid } = rows.pictureOf(Number(row));
    const patches = gradient.size / (gradient.shape.at(-1) as number) / (grid.columns * grid.rows);
    const side = Math.sqrt(patches);
    const joined = tf.reshape(gradient, [grid.rows * side, grid.columns * side, -1]);
    const tiles = tileByTile(joined, grid);
    return tiles === null ? [tf.clone(gradient)] : [tf.clone(gradient), tiles];
  });
}

/** The whole objective in one piece. @param tap sees the results of the parts by their recorded names */
function tappedLoss(network: Self1e, { rows, places, targets, features }: TrainingBatch, tap: Tap): tf.Scalar {
  const { projector, decoder, refill, config } = network;
  const { seg, imageContext } = config.tokens;
  const patches = network.patchGrids({ vit: network.encoders.vit.forward(features['vit'] as tf.Tensor) });
  const tokens = tap('v1', projector.tokens(patches));
  const fine = tap('hq', projector.fine(patches, 'self-replication') as tf.Tensor4D);
  const bias = scoreBias(rows, { seg, imageContext }, {}, null);
  const context = { ...decoder.context(0, rows.time, rows.lengths), scoreBias: bias };
  const last = decoder.stack(context).reduce<tf.Tensor>((hidden, layer) => layer(hidden), network.embed(rows, tokens));
  const hidden = tap('llm.last', decoder.norm.forward(last) as tf.Tensor3D);
  const supervised = rows.supervised();
  const logits = network.logits(statesAt(hidden, supervised.positions));
  const ce = fused.softmaxCrossEntropy(logits, tf.tensor1d(supervised.targets, 'int32'));
  const losses = [...positionsByRow(places)].map(([row, positions]) => {
    const picture = rows.pictureOf(row);
    const own = { tokens: tilesOf(tokens, picture), fine: tilesOf(fine, picture) };
    const ofPicture: tf.Tensor4D = tf.reshape(statesAt(hidden, network.picturePositions(rows, row)), own.tokens.shape);
    const joined = network.joined(picture, ofPicture, own);
    const { high, low } = refill.masks(joined, statesAt(hidden, positions), (name, x) => tap(`head.${row}.${name}`, x));
    const { masks, original } = targets[row] as (typeof targets)[number];
    const { bce, dice } = maskLosses([high, low()], reducedTargets(masks, ...original));
    return tf.add(tf.mul(bce, config.loss.bce), tf.mul(dice, config.loss.dice));
  });
  return tf.add(tf.mul(ce, config.loss.ce), tf.div(tf.addN(losses), targets.length));
}
