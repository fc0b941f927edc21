/** The forward pass against the recording: every `out.*` tensor. */
import * as tf from '../engine/tf.js';
import type { Gsva, GsvaOutput } from '../model/gsva.js';
import { VisionTextTokens } from '../model/vision-text-tokens.js';
import { largestDifference, toleranceItem } from './largest-difference.js';
import type { ModelCase } from './model-case.js';
import type { VerifyItem } from './verify-item.js';

/** Of every tensor but logits and masks, absolute. */
const TOLERANCE = 1e-4;
const LOGIT_TOLERANCE = 2e-4;

export function verifyForward(gsva: Gsva, recorded: ModelCase): VerifyItem[] {
  let items: VerifyItem[] = [];
  tf.tidy(() => {
    const output = gsva.forward({
      clipImages: recorded.imageTensor('images_clip'),
      samImages: recorded.imageTensor('images'),
      tokens: recorded.tokens,
    });
    items = compareOutput(gsva, recorded, output);
  });
  return items;
}

function compareOutput(gsva: Gsva, recorded: ModelCase, output: GsvaOutput): VerifyItem[] {
  const { lengths } = new VisionTextTokens(recorded.tokens, gsva.patches);
  const compare = (name: string, what: string, found: tf.Tensor, tolerance = TOLERANCE): VerifyItem => {
    const expected = recorded.tensors.get(`out.${name}`);
    // Layouts differ in where ones stand, so that the number of elements and their order are what has to agree.
    const error = largestDifference(found.dataSync<'float32'>(), expected.data);
    return toleranceItem(`out.${name}`, error, tolerance, `${what} [${expected.shape.join(', ')}]`);
  };
  /** [B, T, C] where the attention mask is 1; behind, the reference computes with padding and we need not. */
  const compareTokens = (name: string, what: string, found: tf.Tensor, tolerance = TOLERANCE): VerifyItem => {
    const expected = recorded.tensors.get(`out.${name}`);
    const [batch = 0, time = 0, size = 0] = expected.shape;
    const same = tf.util.arraysEqual(found.shape, [batch, time, size]);
    const values = found.dataSync<'float32'>();
    const errors = lengths.map((length, row) => {
      const range: [number, number] = [row * time * size, (row * time + length) * size];
      return same ? largestDifference(values.subarray(...range), expected.data.subarray(...range)) : Infinity;
    });
    return toleranceItem(
      `out.${name}`,
      Math.max(...errors),
      tolerance,
      `${what} [${expected.shape.join(', ')}], padding left out`,
    );
  };
  const toChannelsFirst = (x: tf.Tensor): tf.Tensor => tf.transpose(x, [0, 3, 1, 2]);
  const items = [
    compare('clip.features', 'F_V1', output.clipFeatures),
    compare('projector.out', 'φ', output.visionTokens),
    compare('sam_image_embeddings', 'F_V2', toChannelsFirst(output.imageEmbeddings)),
    compare('dense_pe', 'prompt encoder', toChannelsFirst(gsva.promptEncoder.densePositions())),
    compareTokens('llm.last_hidden', 'F_LLM', output.lastHidden),
    compareTokens('llm.logits', 'head', output.logits, LOGIT_TOLERANCE),
    compareTokens('text_fc.out', 'ψ', gsva.maskPrompt.forward(output.lastHidden)),
  ];
  for (let row = 0; row < recorded.tokens.batch; row++) {
    const mine = output.maskRows.flatMap((owner, index) => (owner === row ? [index] : []));
    const ofRow = (x: tf.Tensor): tf.Tensor => tf.gather(x, tf.tensor1d(mine, 'int32'));
    items.push(compare(`low_res_masks.${row}`, 'F_mask', ofRow(output.lowResMasks), LOGIT_TOLERANCE));
    items.push(compare(`iou.${row}`, 'F_mask, IoU head', ofRow(output.iou)));
  }
  return items;
}
