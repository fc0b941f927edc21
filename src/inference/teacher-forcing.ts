/**
 * The reference's evaluation (GSVAForCausalLM.evaluate): the answer is given, with a decision for each expression, and
 * the state one before each of these places decides. Then the LLM reads the answer again with "found" at every place, so
 * that every expression has a mask, also one that was rejected.
 *
 * A state depends on the tokens before it, so the first pass is given the true decisions of the expressions before.
 * That is the published protocol; `ask` and `generate` do without it.
 */
import { requireFinite } from '../checkpoints/not-finite.js';
import { padBatch, type TokenizedConversation } from '../data/text/conversation.js';
import * as tf from '../engine/tf.js';
import { type EncodedImage, stackFeatures } from '../features/image-features.js';
import { rowsAbout } from '../features/image-rows.js';
import { MultimodalRows } from '../networks/multimodal-rows.js';
import { statesAt } from '../networks/states-at.js';
import type { FeatureTensors, GroundingModel, Reading, Vocabulary } from '../systems/system.js';
import { drawMasks, type MaskLogits, decisionOf, forcedDecision, readNextToken, tokenOf } from './draw-masks.js';
import type { AskedDecision } from './generate.js';

/** One image, one question, and the answer that the model is given. */
export interface ForcedItem {
  readonly image: EncodedImage;
  /** The supervised decisions are the places that are decided. */
  readonly conversation: TokenizedConversation;
}

type ForcedDecision = Pick<AskedDecision, 'answer' | 'rejectProbability'>;

export interface ForcedAnswer {
  /** The conversation's ids with the decisions in their places. */
  readonly outputIds: readonly number[];
  /** One per place, in order. */
  readonly decisions: readonly ForcedDecision[];
  /** 'every': one per place, of the second pass. 'given': one per "found" of the given answer, of the first. */
  readonly masks: readonly MaskLogits[];
}

/** A given decision. */
type Place = ReturnType<MultimodalRows['statesBefore']>[number];

/**
 * All items as one batch.
 * @param masks which masks are made: one for every place ('every', needs the second pass), or for each "found" of the
 *   given answers ('given')
 * @throws UserError that names the part of the network at fault where logits, states or masks are not finite
 */
export async function teacherForce(
  network: GroundingModel,
  vocabulary: Vocabulary,
  items: readonly ForcedItem[],
  masks: 'every' | 'given' = 'every',
): Promise<ForcedAnswer[]> {
  if (items.length === 0) return [];
  const conversations = items.map(({ conversation }) => conversation);
  const images = items.map((item) => item.image);
  const rows = rowsAbout(network, padBatch(conversations, vocabulary.pad), images);
  const places = rows.statesBefore([...vocabulary.found, ...vocabulary.absent], 'supervised');
  const wanted = masks === 'every' ? places : places.filter(({ id }) => vocabulary.found.includes(id));
  const features = stackFeatures(network, images);
  const isWhole = network.masksFrom === 'whole reading';
  // Without tokens that say "absent" every place reads as "found" already.
  const isTwice = masks === 'every' && vocabulary.absent.length > 0;
  if (isWhole && isTwice) throw new Error('teacherForce: masks of whole readings are drawn of the first pass');
  const compute = (): [tf.Tensor2D, tf.Tensor2D | tf.Tensor3D] => {
    const first = network.read(rows, features, { keepCache: isTwice });
    const states = isTwice ? statesOfSecondPass(network, vocabulary, first, places) : null;
    const logits = network.logits(statesAt(first.hidden, places.map(positionOf)));
    if (isWhole) return [logits, first.hidden];
    return [logits, states ?? statesAt(first.hidden, wanted.map(positionOf))];
  };
  const [logits, states] = tf.tidy(compute);
  const readFinite = async (what: string, tensor: tf.Tensor): Promise<Float32Array> => {
    const data = await tensor.data<'float32'>();
    await requireFinite(network, `Answering: ${what}`, data, () => {
      tf.dispose(tf.tidy(compute));
    });
    return data;
  };
  let decisions: ForcedDecision[];
  let drawn: MaskLogits[];
  try {
    await readFinite('the hidden states that make masks', states);
    decisions = decide(vocabulary, await readFinite('the logits of decisions', logits), places);
    drawn = isWhole
      ? await drawMasks(network, { hidden: states as tf.Tensor3D, features, rows }, wanted.map(placeOf), images)
      : await masksOfRows(network, states as tf.Tensor2D, features, wanted, images);
  } finally {
    tf.dispose([features, logits, states]);
  }
  return items.map(({ conversation }, row) => {
    const own = decisions.filter((_, index) => places[index]?.row === row);
    const ids = own.map(({ answer }, place) => tokenOf(answer, place, vocabulary));
    const outputIds = conversation.inputIds.map((id, t) =>
      t > 0 && conversation.labels[t] === id && decisionOf(id, vocabulary) !== null ? (ids.shift() ?? id) : id,
    );
    return { outputIds, decisions: own, masks: drawn.filter((_, index) => wanted[index]?.row === row) };
  });
}

const positionOf = ({ position }: Place): number => position;
const placeOf = ({ row, position }: Place) => ({ row, states: [position] });

/** @param states [n, D] of the places */
function masksOfRows(
  network: GroundingModel,
  states: tf.Tensor2D,
  features: FeatureTensors,
  places: readonly Place[],
  images: readonly EncodedImage[],
): Promise<MaskLogits[]> {
  const hidden = tf.expandDims<tf.Tensor3D>(states, 0); // [n, D] → [1, n, D]
  const grounded = places.map(({ row }, index) => ({ row, states: [index] }));
  return drawMasks(network, { hidden, features }, grounded, images).finally(() => {
    hidden.dispose();
  });
}

/** @param logits [P, V] */
function decide(vocabulary: Vocabulary, logits: Float32Array, places: readonly Place[]): ForcedDecision[] {
  const size = logits.length / Math.max(1, places.length);
  return places.map(({ id }, index) => {
    const { argmax, rejectProbability } = readNextToken(logits.subarray(index * size, (index + 1) * size), vocabulary);
    return { answer: forcedDecision(argmax, id, vocabulary), rejectProbability };
  });
}

/**
 * The states [P, D] of all places when every "absent" is read as "found". Only the conversations that have an "absent"
 * are read again, and only from the first one of any of them on: what stands before is as in the first pass.
 */
function statesOfSecondPass(network: GroundingModel, vocabulary: Vocabulary, first: Reading, places: readonly Place[]) {
  const { rows, hidden } = first;
  const rejected = places.filter(({ id }) => vocabulary.absent.includes(id));
  if (rejected.length === 0) return statesAt(hidden, places.map(positionOf));
  const again = [...new Set(rejected.map(({ row }) => row))];
  // A place is the state before its token.
  const from = Math.min(...rejected.map(({ position }) => (position % rows.time) + 1));
  const inputIds = Int32Array.from(rows.tokens.inputIds);
  for (const row of again) {
    for (const [place, { id, token }] of places.filter((each) => each.row === row).entries()) {
      if (!vocabulary.absent.includes(id)) continue;
      inputIds[row * rows.tokens.time + token] = tokenOf('found', place, vocabulary);
    }
  }
  const rest = new MultimodalRows(rows.behind(from, again, inputIds), network.patches);
  const second = network.read(rest, first.features, { after: { reading: first, rows: again, from } });
  // Both passes' states below each other, [B·T + B'·T', D].
  const size = hidden.shape[2];
  const all = tf.concat2d([tf.reshape(hidden, [-1, size]), tf.reshape(second.hidden, [-1, size])], 0);
  const index = places.map(({ row, position }) => {
    const [rowAgain, time] = [again.indexOf(row), position % rows.time];
    if (rowAgain < 0 || time < from) return position;
    return rows.tokens.batch * rows.time + rowAgain * rest.time + (time - from);
  });
  return tf.gather(all, tf.tensor1d(index, 'int32'));
}
