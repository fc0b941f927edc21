/** The forward pass of LISA against the recording: every `out.*` tensor. */
import * as tf from '../engine/tf.js';
import type { LlavaSam } from '../systems/shared/llava-sam.js';
import type { FeatureTensors, Geometry } from '../systems/system.js';
import type { LisaBatch, LisaCase } from './lisa-case.js';
import type { Comparison } from './model-case.js';
import { channelsFirst, compareOutputs, featuresOf } from './model-forward.js';
import { Mismatches } from './verify-item.js';

/** @param pictures features of every picture */
export const verifyForward: Comparison<LisaCase, FeatureTensors> = async (network, recorded, pictures) => {
  const [batch] = recorded.batches(network.patches) as [LisaBatch];
  const equal = new Mismatches('supervised positions and tokens');
  const items = await compareOutputs(recorded, () => {
    const found = forward(network, recorded, batch, pictures, equal);
    return Object.entries(found).map(([name, tensor]) => {
      const lengths = name === 'llm.last_hidden' ? { lengths: batch.rows.lengths.slice(0, 1) } : {};
      return { name, what: null, found: tensor, ...lengths };
    });
  });
  return [equal.item(), ...items];
};

function forward(
  network: LlavaSam,
  recorded: LisaCase,
  { rows, images, offset, pictures: pictureOf }: LisaBatch,
  pictures: FeatureTensors,
  equal: Mismatches,
): Record<string, tf.Tensor> {
  const features = featuresOf(pictures, pictureOf);
  const { hidden } = network.read(rows, features);
  const first = tf.slice(features['clip'] as tf.Tensor3D, [0, 0, 0], [1, -1, -1]);
  const supervised = rows.supervised();
  const positions = [...supervised.positions].map((at) => [Math.floor(at / rows.time), at % rows.time]);
  equal.compare('positions', positions.flat(), recorded.tensors.get('out.supervised.index').data);
  equal.compare('tokens', supervised.targets, recorded.tensors.get('out.supervised.target').data);
  const logits = network.logits(network.statesAt(hidden, supervised.positions));
  const ofFirst = positions.filter(([row]) => row === 0).length;
  const targets = [...supervised.targets].map((id, i) => [i, id]);
  const out: Record<string, tf.Tensor> = {
    sam_image_embeddings: channelsFirst(featuresOf(pictures, images)['sam'] as tf.Tensor),
    'clip.features': first,
    'projector.out': network.projector.forward(first),
    dense_pe: channelsFirst(network.promptEncoder.densePositions()),
    'llm.last_hidden': tf.slice(hidden, [0, 0, 0], [1, -1, -1]),
    'supervised.logits': tf.slice(logits, [0, 0], [ofFirst, -1]),
    'supervised.ce': tf.neg(tf.gatherND(tf.logSoftmax(logits), tf.tensor2d(targets, undefined, 'int32'))),
  };
  const states = rows.statesBefore(recorded.vocabulary.found);
  for (const [sample, picture] of images.entries()) {
    const [from, to] = [offset[sample] as number, offset[sample + 1] as number];
    const own = states.filter(({ row }) => row >= from && row < to);
    equal.compare(`queries of sample ${sample}`, own.length, countOf(recorded, sample));
    if (own.length === 0) continue;
    const positions = own.map(({ position }) => position);
    const queries = network.maskQueries(hidden, positions);
    const rowOfQuery = own.map(({ row }) => row);
    const { lowResMasks, iou } = network.decodeMasks(queries, features['sam'] as tf.Tensor4D, rowOfQuery);
    out[`seg_queries.${sample}`] = queries;
    out[`low_res_masks.${sample}`] = lowResMasks;
    out[`iou.${sample}`] = iou;
    out[`masks.${sample}`] = network.enlarge(lowResMasks, recorded.sizes[picture] as Geometry);
  }
  return out;
}

/** Recorded [SEG] of a sample: those of its tensor, or of its shape where it has none. */
function countOf(recorded: LisaCase, sample: number): number {
  const name = `out.seg_queries.${sample}`;
  const empty = recorded.json.key('empty').optional(name);
  return (empty?.numbers() ?? recorded.tensors.get(name).shape)[0] ?? -1;
}
