/** A model's whole computation about raw inputs, in the caller's tidy: teacher-forced tokens, a mask per decision. */
import { segIds } from '../../src/systems/shared/model-config.js';
import type * as tf from '../../src/engine/tf.js';
import { MultimodalRows, type TokenBatch } from '../../src/networks/multimodal-rows.js';
import type { LlavaSam } from '../../src/systems/shared/llava-sam.js';

export interface WholeInput {
  readonly clipImages: tf.Tensor4D;
  readonly samImages: tf.Tensor4D;
  readonly tokens: TokenBatch;
}

export interface WholeOutput {
  readonly imageEmbeddings: tf.Tensor4D;
  readonly lastHidden: tf.Tensor3D;
  readonly logits: tf.Tensor3D;
  /** Masks and IoUs of every [SEG], and the rows that these are in. */
  readonly lowResMasks: tf.Tensor3D;
  readonly iou: tf.Tensor;
  readonly maskRows: readonly number[];
}

export function wholeForward(model: LlavaSam, { clipImages, samImages, tokens }: WholeInput): WholeOutput {
  const sam = model.encoders.sam.forward(samImages);
  const clip = model.encoders.clip.forward(clipImages);
  const { rows, hidden } = model.read(new MultimodalRows(tokens, model.patches), { clip, sam });
  const states = rows.statesBefore(segIds(model.config.tokens));
  const queries = model.maskQueries(
    hidden,
    states.map(({ position }) => position),
  );
  const maskRows = states.map(({ row }) => row);
  const { lowResMasks, iou } = model.decodeMasks(queries, sam, maskRows);
  const logits = model.lmHead.forward(hidden) as tf.Tensor3D;
  return { imageEmbeddings: sam, lastHidden: hidden, logits, lowResMasks, iou, maskRows };
}
