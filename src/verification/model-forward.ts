/** The forward pass against the recording: every `out.*` tensor. */
import * as tf from '../engine/tf.js';
import type { LlavaSam } from '../systems/shared/llava-sam.js';
import type { FeatureTensors } from '../systems/system.js';
import type { Comparison, ModelCase, RecordedCase } from './model-case.js';
import { largestDifference, largestMagnitude, toleranceItem, type VerifyItem } from './verify-item.js';

/** Absolute tolerance of every tensor but logits and masks. */
const TOLERANCE = 1e-4;
const LOGIT_TOLERANCE = 2e-4;
/** Tolerance of LISA's recorded tensors and masks, relative to their largest value. */
export const RELATIVE_TOLERANCE = 5e-5;

/** A tensor that is compared with the recording's `out.<name>`. */
export interface Compared {
  readonly name: string;
  readonly found: tf.Tensor;
  /** Symbol of the part; null: differences are relative to the largest value. */
  readonly what: string | null;
  readonly tolerance?: number;
  /** Tokens of each row of [B, T, C] that are compared; behind them, the reference computes with padding and we need not. */
  readonly lengths?: readonly number[];
}

/** Features of the encoders of some pictures. */
export function featuresOf(pictures: FeatureTensors, rows: readonly number[]): FeatureTensors {
  const index = tf.tensor1d([...rows], 'int32');
  return Object.fromEntries(Object.entries(pictures).map(([name, x]) => [name, tf.gather(x, index)]));
}

/** [B, H, W, C] → [B, C, H, W], as PyTorch has it. */
export function channelsFirst(x: tf.Tensor): tf.Tensor {
  return tf.transpose(x, [0, 3, 1, 2]);
}

/** @param pictures features of every picture */
export const verifyForward: Comparison<ModelCase, FeatureTensors> = (gsva, recorded, pictures) => {
  return compareOutputs(recorded, () => comparedTensors(gsva, recorded, pictures));
};

function comparedTensors(gsva: LlavaSam, recorded: ModelCase, pictures: FeatureTensors): Compared[] {
  const [clip, sam] = [pictures['clip'] as tf.Tensor3D, pictures['sam'] as tf.Tensor4D];
  const [{ rows }] = recorded.batches(gsva.patches) as [ReturnType<ModelCase['batches']>[number]];
  const { hidden } = gsva.read(rows, pictures);
  const states = rows.statesBefore(recorded.vocabulary.found);
  const positions = states.map(({ position }) => position);
  const rowOfState = states.map(({ row }) => row);
  const masks = gsva.decodeMasks(gsva.maskQueries(hidden, positions), sam, rowOfState);
  const { lengths } = rows;
  const tolerance = LOGIT_TOLERANCE;
  return [
    { name: 'clip.features', what: 'F_V1', found: tf.clone(clip) },
    { name: 'projector.out', what: 'φ', found: gsva.projector.forward(clip) },
    { name: 'sam_image_embeddings', what: 'F_V2', found: channelsFirst(sam) },
    { name: 'dense_pe', what: 'prompt encoder', found: channelsFirst(gsva.promptEncoder.densePositions()) },
    { name: 'llm.last_hidden', what: 'F_LLM', found: hidden, lengths },
    { name: 'llm.logits', what: 'head', found: gsva.lmHead.forward(hidden), tolerance, lengths },
    { name: 'text_fc.out', what: 'ψ', found: gsva.maskPrompt.forward(hidden), lengths },
    ...lengths.flatMap((_, row): Compared[] => {
      const mine = rowOfState.flatMap((other, index) => (other === row ? [index] : []));
      const ofRow = (x: tf.Tensor): tf.Tensor => tf.gather(x, tf.tensor1d(mine, 'int32'));
      return [
        { name: `low_res_masks.${row}`, what: 'F_mask', found: ofRow(masks.lowResMasks), tolerance },
        { name: `iou.${row}`, what: 'F_mask, IoU head', found: ofRow(masks.iou) },
      ];
    }),
  ];
}

/** @param compute tensors that are disposed here */
export async function compareOutputs(recorded: RecordedCase, compute: () => Compared[]): Promise<VerifyItem[]> {
  let compared: Compared[] = [];
  tf.tidy(() => {
    compared = compute();
    return compared.map(({ found }) => found);
  });
  try {
    const items: VerifyItem[] = [];
    for (const one of compared) items.push(await compare(recorded, one));
    return items;
  } finally {
    tf.dispose(compared.map(({ found }) => found));
  }
}

async function compare(recorded: RecordedCase, { name, what, found, lengths, ...given }: Compared) {
  const { shape, data } = recorded.tensors.get(`out.${name}`);
  const values = await found.data<'float32'>();
  const [, time = 0, size = 0] = shape;
  // Layouts differ in where ones stand, so that the number of elements and their order are what has to agree.
  const ranges = lengths?.map((length, row) => [row * time * size, (row * time + length) * size]) ?? [[0, data.length]];
  const differences = ranges.map(([begin, end]) => {
    return largestDifference(values.subarray(begin, end), data.subarray(begin, end));
  });
  const largest = values.length === data.length ? Math.max(...differences) : Infinity;
  const { tolerance = what === null ? RELATIVE_TOLERANCE : TOLERANCE } = given;
  const [before, behind] = what === null ? ['', ', relative to the largest value'] : [`${what} `, ''];
  const padding = lengths === undefined ? '' : ', padding left out';
  const detail = `${before}[${shape.join(', ')}]${behind}${padding}`;
  return toleranceItem(`out.${name}`, what === null ? largest / largestMagnitude(data) : largest, tolerance, detail);
}
