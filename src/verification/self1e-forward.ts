/** SELF1E's forward pass against the recording: every tensor between pixels and logits of masks. */
import * as tf from '../engine/tf.js';
import { statesAt } from '../networks/states-at.js';
import { pixelShuffle } from '../nn/pixel-shuffle.js';
import { replicated } from '../systems/self1e/block-projector.js';
import type { Self1e } from '../systems/self1e/model.js';
import { tilesOf } from '../systems/self1e/tiles.js';
import { layerOutputs } from './layer-outputs.js';
import type { RecordedRows, Self1eCase } from './self1e-case.js';
import { compareAll, type Compared } from './self1e-compared.js';
import { headTensors } from './self1e-heads.js';
import { otherMasks, ruleItems } from './self1e-masks.js';
import type { VerifyItem } from './verify-item.js';

const [VIT, LLM] = ['vision_model.encoder.layers', 'language_model.model.layers'];

export async function verifySelf1eForward(network: Self1e, recorded: Self1eCase): Promise<VerifyItem[]> {
  const batch = recorded.rows('');
  try {
    return [
      ...(await compareAll(recorded, () => [
        ...featureTensors(network, recorded, batch),
        ...wordTensors(network, recorded, batch),
      ])),
      ...(await compareAll(recorded, () => headTensors(network, recorded, batch))),
      ...(await compareAll(recorded, () => otherMasks(network, recorded))),
      ...ruleItems(recorded),
    ];
  } finally {
    batch.pictures.dispose();
  }
}

/** From pixels to V1 and HQ. */
function featureTensors(network: Self1e, recorded: Self1eCase, { rows, pictures }: RecordedRows): Compared[] {
  const { vit } = network.encoders;
  const last = `${VIT}.${vit.layers.length - 1}`;
  const layers = layerOutputs(network, [`${VIT}.0.attn`, `${VIT}.0`, last], () => vit.forward(pictures));
  const patches = network.patchGrids({ vit: vit.forward(pictures) });
  return [
    { name: 'vit.embeddings', found: vit.embed(pictures) },
    { name: 'vit.layer0.attention', found: layers.get(`${VIT}.0.attn`) as tf.Tensor },
    { name: 'vit.layer0', found: layers.get(`${VIT}.0`) as tf.Tensor },
    { name: 'vit.layer_last', found: layers.get(last) as tf.Tensor },
    { name: 'pixel_shuffle', found: pixelShuffle(patches) },
    { name: 'rfr.0', found: replicated(tilesOf(patches, rows.pictureOf(0))) },
    { name: 'v1', found: network.projector.tokens(patches) },
    { name: 'hq', found: network.projector.fine(patches, 'self-replication') as tf.Tensor },
    ...positionTable(network, recorded),
  ];
}

/** The position table resized to the recorded grid [height, width]. */
function positionTable(network: Self1e, { json, tensors }: Self1eCase): Compared[] {
  if (!tensors.names.some((name) => name.startsWith('extra.'))) return [];
  const place = json.key('extra').key('position_embedding').key('resized_to');
  const [height = 0, width = 0] = place.array().map((side) => side.integer({ min: 1 }));
  const positions = network.encoders.vit.positions(height, width);
  return [{ name: 'extra.position_embedding', found: tf.slice(positions, [0, 1, 0], [1, -1, -1]) }];
}

/** The language model, words of a dialogue about two tiles included. */
function wordTensors(network: Self1e, recorded: Self1eCase, batch: RecordedRows): Compared[] {
  const { rows, pictures } = batch;
  const { lengths, time } = rows;
  const last = `${LLM}.${network.decoder.layers.length - 1}`;
  const features = { vit: network.encoders.vit.forward(pictures) };
  let hidden = tf.zeros<tf.Rank.R3>([1, 1, 1]);
  const layers = layerOutputs(network, [`${LLM}.0.self_attn`, `${LLM}.0`, last], () => {
    ({ hidden } = network.read(rows, features));
  });
  const { cos, sin } = network.decoder.context(0, time, null);
  const ofRows = (name: string, found: tf.Tensor): Compared => ({ name, found, lengths });
  const dialogue = recorded.rows('vqa.');
  const words = network.read(dialogue.rows, { vit: network.encoders.vit.forward(dialogue.pictures) });
  dialogue.pictures.dispose();
  const tokens = network.projector.tokens(network.patchGrids(features));
  return [
    ofRows('llm.inputs', network.embed(rows, tokens)),
    ofRows('llm.layer0.attention', layers.get(`${LLM}.0.self_attn`) as tf.Tensor),
    ofRows('llm.layer0', layers.get(`${LLM}.0`) as tf.Tensor),
    ofRows('llm.layer_last', layers.get(last) as tf.Tensor),
    ofRows('llm.last', hidden),
    { name: 'llm.rotary_cos', found: cos, lengths: lengths.slice(0, 1) },
    { name: 'llm.rotary_sin', found: sin, lengths: lengths.slice(0, 1) },
    { name: 'logits.values', found: wordLogits(network, recorded, '', hidden) },
    { name: 'vqa.logits.values', found: wordLogits(network, recorded, 'vqa.', words.hidden) },
  ];
}

function wordLogits(network: Self1e, recorded: Self1eCase, prefix: string, hidden: tf.Tensor3D): tf.Tensor {
  const { data } = recorded.tensors.get(`${prefix}logits.index`);
  const places = Array.from({ length: data.length / 2 }, (_, i) => {
    return (data[2 * i] as number) * hidden.shape[1] + (data[2 * i + 1] as number);
  });
  return network.logits(statesAt(hidden, places));
}
