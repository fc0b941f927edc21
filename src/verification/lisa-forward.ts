/** The forward pass of LISA against the recording: every `out.*` tensor. */
import * as tf from '../engine/tf.js';
import type { LlavaSam } from '../systems/shared/llava-sam.js';
import type { FeatureTensors, Geometry } from '../systems/system.js';
import { Mismatches, largestDifference, largestMagnitude, toleranceItem, type VerifyItem } from './verify-item.js';
import type { LisaBatch, LisaCase } from './lisa-case.js';

/** Tolerance of every recorded tensor, relative to its largest value. */
export const FORWARD_TOLERANCE = 5e-5;

/** Features of the encoders of every picture, and of the sequences of a batch. */
export function featuresOf(pictures: FeatureTensors, rows: readonly number[]): FeatureTensors {
  const index = tf.tensor1d([...rows], 'int32');
  return Object.fromEntries(Object.entries(pictures).map(([name, x]) => [name, tf.gather(x, index)]));
}

/** @param pictures features of every picture */
export async function verifyForward(
  network: LlavaSam,
  recorded: LisaCase,
  pictures: FeatureTensors,
): Promise<VerifyItem[]> {
  const batch = recorded.batch('batch_a', network.patches);
  const lengths = new Mismatches('supervised positions and tokens');
  const found = tf.tidy(() => forward(network, recorded, batch, pictures, lengths));
  try {
    const items = [lengths.item()];
    for (const [name, tensor] of Object.entries(found)) {
      const isPadded = name === 'llm.last_hidden';
      items.push(await compare(recorded, name, tensor, isPadded ? (batch.rows.lengths[0] ?? 0) : null));
    }
    return items;
  } finally {
    tf.dispose(found);
  }
}

function forward(
  network: LlavaSam,
  recorded: LisaCase,
  { rows, images, offset, pictures: pictureOf }: LisaBatch,
  pictures: FeatureTensors,
  equal: Mismatches,
): Record<string, tf.Tensor> {
  const features = featuresOf(pictures, pictureOf);
  const { hidden } = network.read(rows, features);
  const channelsFirst = (x: tf.Tensor): tf.Tensor => tf.transpose(x, [0, 3, 1, 2]);
  const first = tf.slice(features['clip'] as tf.Tensor3D, [0, 0, 0], [1, -1, -1]);
  const supervised = rows.supervised();
  const positions = [...supervised.positions].map((at) => [Math.floor(at / rows.time), at % rows.time]);
  equal.compare('positions', positions.flat().join(' '), text(recorded, 'out.supervised.index'));
  equal.compare('tokens', supervised.targets.join(' '), text(recorded, 'out.supervised.target'));
  const logits = network.logits(network.statesAt(hidden, supervised.positions));
  const ofFirst = positions.filter(([row]) => row === 0).length;
  const targets = tf.stack(
    [...supervised.targets].map((id, i) => tf.tensor1d([i, id], 'int32')),
    0,
  );
  const out: Record<string, tf.Tensor> = {
    sam_image_embeddings: channelsFirst(featuresOf(pictures, images)['sam'] as tf.Tensor),
    'clip.features': first,
    'projector.out': network.projector.forward(first),
    dense_pe: channelsFirst(network.promptEncoder.densePositions()),
    'llm.last_hidden': tf.slice(hidden, [0, 0, 0], [1, -1, -1]),
    'supervised.logits': tf.slice(logits, [0, 0], [ofFirst, -1]),
    'supervised.ce': tf.neg(tf.gatherND(tf.logSoftmax(logits), targets)),
  };
  const states = rows.statesBefore(recorded.vocabulary.found);
  for (const [sample, picture] of images.entries()) {
    const [from, to] = [offset[sample] as number, offset[sample + 1] as number];
    const own = states.filter(({ row }) => row >= from && row < to);
    equal.compare(`queries of sample ${sample}`, own.length, countOf(recorded, sample));
    if (own.length === 0) continue;
    const queries = network.maskQueries(
      hidden,
      own.map(({ position }) => position),
    );
    const sam = features['sam'] as tf.Tensor4D;
    const drawn = network.decodeMasks(
      queries,
      sam,
      own.map(({ row }) => row),
    );
    out[`seg_queries.${sample}`] = queries;
    out[`low_res_masks.${sample}`] = drawn.lowResMasks;
    out[`iou.${sample}`] = drawn.iou;
    out[`masks.${sample}`] = network.enlarge(drawn.lowResMasks, recorded.sizes[picture] as Geometry);
  }
  return out;
}

/** Recorded [SEG] of a sample: those of its tensor, or of its shape where it has none. */
function countOf(recorded: LisaCase, sample: number): number {
  const name = `out.seg_queries.${sample}`;
  const empty = recorded.json.key('empty').optional(name);
  return (empty?.numbers() ?? recorded.tensors.get(name).shape)[0] ?? -1;
}

function text(recorded: LisaCase, name: string): string {
  return [...recorded.tensors.get(name).data].join(' ');
}

/** @param length positions that count, of the first row; null for all */
async function compare(recorded: LisaCase, name: string, found: tf.Tensor, length: number | null): Promise<VerifyItem> {
  const { shape, data } = recorded.tensors.get(`out.${name}`);
  const values = await found.data<'float32'>();
  const count = length === null ? data.length : length * (shape[2] ?? 0);
  const error =
    values.length === data.length
      ? largestDifference(values.subarray(0, count), data.subarray(0, count)) / largestMagnitude(data)
      : Infinity;
  const detail = `[${shape.join(', ')}], relative to the largest value${length === null ? '' : ', padding left out'}`;
  return toleranceItem(`out.${name}`, error, FORWARD_TOLERANCE, detail);
}
