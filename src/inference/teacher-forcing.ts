/**
 * The reference's evaluation (GSVAForCausalLM.evaluate): the answer is given, with [SEG] or [REJ] for each expression,
 * and the state one before each of these places decides. Then the LLM reads the answer again with [SEG] at every place,
 * so that every expression has a mask, also one that was rejected.
 *
 * A state depends on the tokens before it, so the first pass has seen the true decisions of the expressions before.
 * That is the published protocol; `ask` and `generate` do without it.
 */
import { segIdAt, segIds, type TokenIds } from '../config.js';
import { padBatch, type TokenizedConversation } from '../data/text/conversation.js';
import * as tf from '../engine/tf.js';
import type { LlavaSam } from '../systems/shared/llava-sam.js';
import { type EncodedImage, stackFeatures } from '../features/image-features.js';
import type { LayerCache } from '../networks/decoder-lm/llama.js';
import { requireFinite } from '../checkpoints/not-finite.js';
import { type TokenBatch, MultimodalRows } from '../networks/multimodal-rows.js';
import { drawMasks, type MaskLogits } from './draw-masks.js';
import { forcedDecision, readNextToken, type TokenAnswer } from './token-decision.js';

/** One image, one question, and the answer that is put in the model's mouth. */
export interface ForcedItem {
  readonly image: EncodedImage;
  /** The supervised [SEG] and [REJ] are the places that are decided. */
  readonly conversation: TokenizedConversation;
}

export interface ForcedDecision {
  readonly answer: TokenAnswer;
  readonly rejectProbability: number;
}

export interface ForcedAnswer {
  /** The conversation's ids with the decisions in their places. */
  readonly outputIds: readonly number[];
  /** One per place, in order. */
  readonly decisions: readonly ForcedDecision[];
  /** 'every': one per place, of the second pass. 'given': one per [SEG] of the given answer, of the first. */
  readonly masks: readonly MaskLogits[];
}

/** A state that is read: the conversation it belongs to, its index among the conversation's states, the token behind. */
interface Place {
  readonly row: number;
  readonly time: number;
  readonly id: number;
}

/**
 * All items as one batch.
 * @param masks which masks are made: one for every place ('every', needs the second pass), or for each [SEG] of the
 *   given answers ('given')
 * @throws UserError that names the part of the network at fault where logits, states or masks are not finite
 */
export async function teacherForce(
  gsva: LlavaSam,
  items: readonly ForcedItem[],
  masks: 'every' | 'given' = 'every',
): Promise<ForcedAnswer[]> {
  if (items.length === 0) return [];
  const { tokens } = gsva.config;
  const batch = padBatch(
    items.map((item) => item.conversation),
    tokens.pad,
  );
  const layout = new MultimodalRows(batch, gsva.patches);
  const placeIds = [...segIds(tokens), tokens.rej];
  const places = placesOf(layout, placeIds);
  const images = items.map((item) => item.image);
  const wanted = masks === 'every' ? places : places.filter(({ id }) => id !== tokens.rej);
  const { clipFeatures, imageEmbeddings } = stackFeatures(gsva, images);
  const compute = (): [tf.Tensor, tf.Tensor2D] => {
    const visionTokens = gsva.projector.forward(clipFeatures) as tf.Tensor3D;
    const context = gsva.llama.context(0, layout.time, layout.lengths);
    const embeddings = gsva.embed(layout, visionTokens);
    const [hidden, caches] = gsva.llama.forward(embeddings, context) as [tf.Tensor3D, LayerCache[]];
    return [
      gsva.lmHead.forward(statesOf(gsva, hidden, places)),
      masks === 'every'
        ? statesOfSecondPass(gsva, { batch, layout, places, visionTokens, hidden, caches })
        : statesOf(gsva, hidden, wanted),
    ];
  };
  const [logits, states] = tf.tidy(compute);
  const readFinite = async (what: string, tensor: tf.Tensor): Promise<Float32Array> => {
    const data = await tensor.data<'float32'>();
    await requireFinite(gsva, `Answering: ${what}`, data, () => {
      tf.dispose(tf.tidy(compute));
    });
    return data;
  };
  let decisions: ForcedDecision[];
  let drawn: MaskLogits[];
  try {
    await readFinite('the hidden states that make masks', states);
    decisions = decide(gsva, await readFinite('the logits of [SEG] and [REJ]', logits), places);
    drawn = await drawMasks(
      gsva,
      states,
      imageEmbeddings,
      images,
      wanted.map(({ row }) => row),
    );
  } finally {
    tf.dispose([clipFeatures, imageEmbeddings, logits, states]);
  }
  return items.map(({ conversation }, row) => {
    const own = decisions.filter((_, index) => places[index]?.row === row);
    const ids = own.map(({ answer }, place) => (answer === 'seg' ? segIdAt(place, tokens) : tokens.rej));
    const outputIds = conversation.inputIds.map((id, t) =>
      isPlace(conversation, t, placeIds) ? (ids.shift() ?? id) : id,
    );
    return { outputIds, decisions: own, masks: drawn.filter((_, index) => wanted[index]?.row === row) };
  });
}

function isPlace({ inputIds, labels }: TokenizedConversation, t: number, ids: readonly number[]): boolean {
  return t > 0 && labels[t] === inputIds[t] && ids.includes(inputIds[t] ?? -1);
}

function placesOf(layout: MultimodalRows, ids: readonly number[]): Place[] {
  return layout
    .statesBefore(ids, 'supervised')
    .map(({ row, position, id }) => ({ row, time: position - row * layout.time, id }));
}

/** [P, D] */
function statesOf(gsva: LlavaSam, hidden: tf.Tensor3D, places: readonly Place[]): tf.Tensor2D {
  const [, time] = hidden.shape;
  return gsva.statesAt(
    hidden,
    places.map((place) => place.row * time + place.time),
  );
}

/** @param logits [P, V] */
function decide(gsva: LlavaSam, logits: Float32Array, places: readonly Place[]): ForcedDecision[] {
  const { tokens, llm } = gsva.config;
  return places.map(({ id }, index) => {
    const row = logits.subarray(index * llm.vocabSize, (index + 1) * llm.vocabSize);
    const { argmax, rejectProbability } = readNextToken(row, tokens);
    return { answer: forcedDecision(argmax, id, tokens), rejectProbability };
  });
}

interface FirstPass {
  readonly batch: TokenBatch;
  readonly layout: MultimodalRows;
  readonly places: readonly Place[];
  readonly visionTokens: tf.Tensor3D;
  /** [B, T, D] */
  readonly hidden: tf.Tensor3D;
  readonly caches: readonly LayerCache[];
}

/**
 * The states [P, D] of all places when every [REJ] is read as [SEG]. Only the conversations that have a [REJ] are run
 * again, and only from the first [REJ] of any of them on: what stands before is as in the first pass.
 */
function statesOfSecondPass(gsva: LlavaSam, first: FirstPass): tf.Tensor2D {
  const { batch, layout, places, hidden } = first;
  const { tokens } = gsva.config;
  const rejected = places.filter(({ id }) => id === tokens.rej);
  if (rejected.length === 0) return statesOf(gsva, hidden, places);
  const rows = [...new Set(rejected.map(({ row }) => row))];
  // A place is the state before its token.
  const start = Math.min(...rejected.map(({ time }) => time + 1));
  const again = new MultimodalRows(withoutRejections(batch, rows, tokens), layout.patches);
  const rowIndex = tf.tensor1d(rows, 'int32');
  const embeddings = gsva.embed(again, tf.gather(first.visionTokens, rowIndex));
  const past = first.caches.map(({ keys, values }) => ({
    keys: beginning(keys, rowIndex, start),
    values: beginning(values, rowIndex, start),
  }));
  const context = gsva.llama.context(start, again.time - start, again.lengths);
  const rest = tf.slice(embeddings, [0, start, 0], [-1, again.time - start, -1]);
  const [hiddenAgain] = gsva.llama.forward(rest, context, past);
  // Both passes' states below each other, [B·T + B'·T', D].
  const size = gsva.config.llm.hiddenSize;
  const all = tf.concat2d([tf.reshape(hidden, [-1, size]), tf.reshape(hiddenAgain, [-1, size])], 0);
  const index = places.map(({ row, time }) => {
    const rowAgain = rows.indexOf(row);
    if (rowAgain < 0 || time < start) return row * layout.time + time;
    return batch.batch * layout.time + rowAgain * (again.time - start) + (time - start);
  });
  return tf.gather(all, tf.tensor1d(index, 'int32'));
}

/** The first `time` positions of some conversations' keys or values [B, H, T, D]. */
function beginning(x: tf.Tensor4D, rows: tf.Tensor1D, time: number): tf.Tensor4D {
  return tf.gather(tf.slice(x, [0, 0, 0, 0], [-1, -1, time, -1]), rows);
}

/** Some rows of the batch, the supervised [REJ] in them replaced by [SEG]. */
function withoutRejections(batch: TokenBatch, rows: readonly number[], tokens: TokenIds): TokenBatch {
  const { time } = batch;
  const inputIds = new Int32Array(rows.length * time);
  const labels = new Int32Array(rows.length * time);
  for (const [index, row] of rows.entries()) {
    inputIds.set(batch.inputIds.subarray(row * time, (row + 1) * time), index * time);
    labels.set(batch.labels?.subarray(row * time, (row + 1) * time) ?? [], index * time);
  }
  const segs = segIds(tokens);
  for (let row = 0; row < rows.length; row++) {
    let place = 0;
    for (let i = row * time; i < (row + 1) * time; i++) {
      const id = inputIds[i] as number;
      if (labels[i] !== id || (id !== tokens.rej && !segs.includes(id))) continue;
      if (id === tokens.rej) inputIds[i] = segIdAt(place, tokens);
      place++;
    }
  }
  return { inputIds, labels, lengths: rows.map((row) => batch.lengths[row] ?? 0), batch: rows.length, time };
}
