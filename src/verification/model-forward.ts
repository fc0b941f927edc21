/** The forward pass against the recording: every `out.*` tensor. */
import * as tf from '../engine/tf.js';
import type { LlavaSam } from '../systems/shared/llava-sam.js';
import { MultimodalRows } from '../networks/multimodal-rows.js';
import { largestDifference, toleranceItem, type VerifyItem } from './verify-item.js';
import type { ModelCase } from './model-case.js';

/** Absolute tolerance of every tensor but logits and masks. */
const TOLERANCE = 1e-4;
const LOGIT_TOLERANCE = 2e-4;

/** Tensors that are compared with the recording's `out.<name>`. */
interface Compared {
  readonly name: string;
  readonly what: string;
  readonly found: tf.Tensor;
  readonly tolerance?: number;
  /** [B, T, C], compared where the attention mask is 1; behind, the reference computes with padding and we need not. */
  readonly isPadded?: boolean;
}

export async function verifyForward(gsva: LlavaSam, recorded: ModelCase): Promise<VerifyItem[]> {
  let compared: Compared[] = [];
  tf.tidy(() => {
    compared = comparedTensors(gsva, recorded);
    return compared.map(({ found }) => found);
  });
  const { lengths } = new MultimodalRows(recorded.tokens, gsva.patches);
  try {
    const items: VerifyItem[] = [];
    for (const one of compared) items.push(await compare(recorded, lengths, one));
    return items;
  } finally {
    tf.dispose(compared.map(({ found }) => found));
  }
}

function comparedTensors(gsva: LlavaSam, recorded: ModelCase): Compared[] {
  const clip = gsva.encoders.clip.forward(recorded.imageTensor('images_clip'));
  const sam = gsva.encoders.sam.forward(recorded.imageTensor('images'));
  const { rows, hidden } = gsva.read(new MultimodalRows(recorded.tokens, gsva.patches), { clip, sam });
  const states = rows.statesBefore(recorded.vocabulary.found);
  const queries = gsva.maskQueries(
    hidden,
    states.map(({ position }) => position),
  );
  const masks = gsva.decodeMasks(
    queries,
    sam,
    states.map(({ row }) => row),
  );
  const toChannelsFirst = (x: tf.Tensor): tf.Tensor => tf.transpose(x, [0, 3, 1, 2]);
  const padded = { isPadded: true };
  const logits = { tolerance: LOGIT_TOLERANCE };
  const compared: Compared[] = [
    { name: 'clip.features', what: 'F_V1', found: clip },
    { name: 'projector.out', what: 'φ', found: gsva.projector.forward(clip) },
    { name: 'sam_image_embeddings', what: 'F_V2', found: toChannelsFirst(sam) },
    { name: 'dense_pe', what: 'prompt encoder', found: toChannelsFirst(gsva.promptEncoder.densePositions()) },
    { name: 'llm.last_hidden', what: 'F_LLM', found: hidden, ...padded },
    { name: 'llm.logits', what: 'head', found: gsva.lmHead.forward(hidden), ...logits, ...padded },
    { name: 'text_fc.out', what: 'ψ', found: gsva.maskPrompt.forward(hidden), ...padded },
  ];
  for (let row = 0; row < recorded.tokens.batch; row++) {
    const mine = states.flatMap((state, index) => (state.row === row ? [index] : []));
    const ofRow = (x: tf.Tensor): tf.Tensor => tf.gather(x, tf.tensor1d(mine, 'int32'));
    compared.push({ name: `low_res_masks.${row}`, what: 'F_mask', found: ofRow(masks.lowResMasks), ...logits });
    compared.push({ name: `iou.${row}`, what: 'F_mask, IoU head', found: ofRow(masks.iou) });
  }
  return compared;
}

/** @param lengths of the conversations, in tokens */
async function compare(
  recorded: ModelCase,
  lengths: readonly number[],
  { name, what, found, tolerance = TOLERANCE, isPadded = false }: Compared,
): Promise<VerifyItem> {
  const { shape, data } = recorded.tensors.get(`out.${name}`);
  const values = await found.data<'float32'>();
  if (!isPadded) {
    // Layouts differ in where ones stand, so that the number of elements and their order are what has to agree.
    const error = largestDifference(values, data);
    return toleranceItem(`out.${name}`, error, tolerance, `${what} [${shape.join(', ')}]`);
  }
  const [batch = 0, time = 0, size = 0] = shape;
  const same = tf.util.arraysEqual(found.shape, [batch, time, size]);
  const errors = lengths.map((length, row) => {
    const range: [number, number] = [row * time * size, (row * time + length) * size];
    return same ? largestDifference(values.subarray(...range), data.subarray(...range)) : Infinity;
  });
  const detail = `${what} [${shape.join(', ')}], padding left out`;
  return toleranceItem(`out.${name}`, Math.max(...errors), tolerance, detail);
}
