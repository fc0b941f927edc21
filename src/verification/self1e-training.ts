/** SELF1E's gradients between the parts, and its training, against the recording. */
import * as tf from '../engine/tf.js';
import * as fused from '../engine/fused-ops.js';
import type { JsonReader } from '../io/json/json-reader.js';
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
import { relativeItem } from './self1e-forward.js';
import { self1eRules } from './training-rules.js';
import { relativeError, toleranceItem, type VerifyItem } from './verify-item.js';

const GRADIENT_TOLERANCE = 1e-4;
const PREFIXES = { batch: '', batch_b: 'b.' } as const;

/** Changes the model's weights: five updates. */
export async function verifySelf1eTraining(network: Self1e, recorded: Self1eCase): Promise<VerifyItem[]> {
  const batches = Object.values(PREFIXES).map((prefix) => trainingBatch(recorded, prefix));
  const { ce, ...lossWeights } = network.config.loss;
  const record: RecordedTraining = {
    dir: recorded.dir,
    json: recorded.json,
    recipe: system.recipe,
    batches,
    microBatches: microBatchesOf(recorded.json),
    ownName: (name) => recorded.ownName(name),
  };
  return [
    await dialogueItem(network, recorded),
    ...(await partGradients(network, recorded, batches[0] as TrainingBatch)),
    ...(await verifyTraining(network, record, self1eRules({ ...lossWeights, ce }))),
  ];
}

function microBatchesOf(json: JsonReader): number[] {
  const names = Object.keys(PREFIXES) as (keyof typeof PREFIXES)[];
  const used = json.key('optimizer').key('micro_batches').array();
  return used.map((name) => names.indexOf(name.oneOf(names)));
}

function trainingBatch(recorded: Self1eCase, prefix: string): TrainingBatch {
  const { rows, pictures } = recorded.rows(prefix);
  const targets = rows.lengths.map((_, row) => recorded.targets(prefix, row));
  return { rows, targets, places: placesOf(rows, recorded.vocabulary), features: { vit: pictures } };
}

/** The loss of a dialogue alone, about two tiles: no mask. */
async function dialogueItem(network: Self1e, recorded: Self1eCase): Promise<VerifyItem> {
  const { rows, pictures } = recorded.rows('vqa.', [{ columns: 2, rows: 1 }]);
  const step = system.recipe.step(network, new Map());
  try {
    const targets = [recorded.targets('vqa.', 0)];
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
      const values = await (gradients[i] as tf.Tensor).data<'float32'>();
      const rows = name === 'grad.llm.last' ? lengths : undefined;
      items.push(relativeItem(recorded, name, values, rows, GRADIENT_TOLERANCE));
    }
    return items;
  } finally {
    tf.dispose(gradients);
  }
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
  const last = decoder.stack(context).reduce((hidden, layer) => layer(hidden), network.embed(rows, tokens) as tf.Tensor);
  const hidden = tap('llm.last', decoder.norm.forward(last) as tf.Tensor3D);
  const supervised = rows.supervised();
  const logits = network.logits(statesAt(hidden, supervised.positions));
  const ce = fused.softmaxCrossEntropy(logits, tf.tensor1d(supervised.targets, 'int32'));
  const losses = places.map(({ row, states }) => {
    const picture = rows.pictureOf(row);
    const own = { tokens: tilesOf(tokens, picture), fine: tilesOf(fine, picture) };
    const ofPicture: tf.Tensor4D = tf.reshape(statesAt(hidden, network.picturePositions(rows, row)), own.tokens.shape);
    const joined = network.joined(picture, ofPicture, own);
    const { high, low } = refill.masks(joined, statesAt(hidden, states), (name, x) => tap(`head.${row}.${name}`, x));
    const { masks, original } = targets[row] as (typeof targets)[number];
    const { bce, dice } = maskLosses([high, low()], reducedTargets(masks, ...original));
    return tf.add(tf.mul(bce, config.loss.bce), tf.mul(dice, config.loss.dice));
  });
  return tf.add(tf.mul(ce, config.loss.ce), tf.div(tf.addN(losses), targets.length));
}
