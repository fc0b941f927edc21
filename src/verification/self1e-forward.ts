/** SELF1E's forward pass against the recording: every tensor between pixels and logits of masks. */
import { join } from 'node:path';
import { withWeights } from '../checkpoints/checkpoint-directory.js';
import * as tf from '../engine/tf.js';
import type { FileTensors } from '../io/file-tensor.js';
import { openCheckpoint } from '../io/checkpoint-files.js';
import { statesAt } from '../networks/states-at.js';
import { resizeBilinear } from '../nn/bilinear.js';
import { pixelShuffle } from '../nn/pixel-shuffle.js';
import { expandedTokens, visibleKeys } from '../systems/self1e/attention-rule.js';
import { replicated } from '../systems/self1e/block-projector.js';
import { reducedTargets } from '../systems/self1e/mask-losses.js';
import { Self1e } from '../systems/self1e/model.js';
import type { Tap } from '../systems/self1e/refill.js';
import { tilesOf } from '../systems/self1e/tiles.js';
import { layerOutputs } from './layer-outputs.js';
import { placesOf } from './model-training.js';
import type { RecordedRows, Self1eCase } from './self1e-case.js';
import { largestDifference, largestMagnitude, Mismatches, toleranceItem, type VerifyItem } from './verify-item.js';

/** Relative to the largest value of the recorded tensor. */
export const SELF1E_TOLERANCE = 5e-5;
/** Rows of the third target that are recorded: begin and count. */
const RESIZED_ROWS = [40, 16] as const;
const [VIT, LLM] = ['vision_model.encoder.layers', 'language_model.model.layers'];

interface Compared {
  readonly name: string;
  readonly found: tf.Tensor;
  /** Tokens of each row of [B, T, C] that are compared: behind them stands padding. */
  readonly lengths?: readonly number[];
}

export async function verifySelf1eForward(network: Self1e, recorded: Self1eCase): Promise<VerifyItem[]> {
  const batch = recorded.rows('');
  try {
    return [
      ...(await compare(recorded, () => [...featureTensors(network, batch), ...wordTensors(network, recorded, batch)])),
      ...(await compare(recorded, () => headTensors(network, recorded, batch))),
      ...(await compare(recorded, () => otherMasks(network, recorded))),
      ruleItem(recorded),
    ];
  } finally {
    batch.pictures.dispose();
  }
}

/** Tensors that are disposed here, held against the recorded ones of their names. */
async function compare(recorded: Self1eCase, compute: () => Compared[]): Promise<VerifyItem[]> {
  let compared: Compared[] = [];
  tf.tidy(() => {
    compared = compute();
    return compared.map(({ found }) => found);
  });
  try {
    const items: VerifyItem[] = [];
    for (const { name, found, lengths } of compared) {
      items.push(relativeItem(recorded, name, await found.data<'float32'>(), lengths));
    }
    return items;
  } finally {
    tf.dispose(compared.map(({ found }) => found));
  }
}

/** @param lengths of the rows of [B, T, C]; all of the tensor without */
export function relativeItem(
  recorded: Self1eCase,
  name: string,
  values: Float32Array,
  lengths?: readonly number[],
  tolerance = SELF1E_TOLERANCE,
): VerifyItem {
  const { shape, data } = recorded.tensors.get(name);
  const [, time = 0, size = 0] = shape;
  const ranges = lengths?.map((length, row) => [row * time * size, (row * time + length) * size]) ?? [[0, data.length]];
  const differences = ranges.map(([begin, end]) => {
    return largestDifference(values.subarray(begin, end), data.subarray(begin, end));
  });
  const largest = values.length === data.length ? Math.max(...differences) : Infinity;
  const detail = `[${shape.join(', ')}], relative to the largest value`;
  return toleranceItem(name, largest / largestMagnitude(data), tolerance, detail);
}

/** From pixels to V1 and HQ. */
function featureTensors(network: Self1e, { pictures }: RecordedRows): Compared[] {
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
    { name: 'rfr.0', found: replicated(tf.slice(patches, 0, 1)) },
    { name: 'v1', found: network.projector.tokens(patches) },
    { name: 'hq', found: network.projector.fine(patches, 'self-replication') as tf.Tensor },
    { name: 'extra.position_embedding', found: tf.slice(vit.positions(11, 7), [0, 1, 0], [1, -1, -1]) },
  ];
}

/** The language model, words of a dialogue about two tiles included. */
function wordTensors(network: Self1e, recorded: Self1eCase, batch: RecordedRows): Compared[] {
  const { rows, pictures } = batch;
  const { lengths, time } = rows;
  const last = `${LLM}.${network.decoder.layers.length - 1}`;
  const features = { vit: network.encoders.vit.forward(pictures) };
  let hidden = tf.zeros([1, 1, 1]) as tf.Tensor3D;
  const layers = layerOutputs(network, [`${LLM}.0.self_attn`, `${LLM}.0`, last], () => {
    ({ hidden } = network.read(rows, features));
  });
  const { cos, sin } = network.decoder.context(0, time, null);
  const ofRows = (name: string, found: tf.Tensor): Compared => ({ name, found, lengths });
  const dialogue = recorded.rows('vqa.', [{ columns: 2, rows: 1 }]);
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

/** From states to masks: the first conversation step by step, and masks of the others. */
function headTensors(network: Self1e, recorded: Self1eCase, { rows, pictures }: RecordedRows): Compared[] {
  const features = { vit: network.encoders.vit.forward(pictures) };
  const { hidden } = network.read(rows, features);
  const patches = network.patchGrids(features);
  const own = { tokens: network.projector.tokens(patches), fine: network.projector.fine(patches, 'self-replication') };
  const compared: Compared[] = [];
  for (const { row, states } of placesOf(rows, recorded.vocabulary)) {
    const tap: Tap = (name, x) => {
      const full = `head.${row}.${name}`;
      if (recorded.tensors.names.includes(full)) compared.push({ name: full, found: tf.clone(x) });
      return x;
    };
    const picture = rows.pictureOf(row);
    const tokens = tilesOf(own.tokens, picture);
    const ofPicture: tf.Tensor4D = tf.reshape(statesAt(hidden, network.picturePositions(rows, row)), tokens.shape);
    const fine = tilesOf(own.fine as tf.Tensor4D, picture);
    const decisions = tap('s_state', statesAt(hidden, states));
    tap('i_states', ofPicture);
    const { high, low } = network.refill.masks(network.joined(picture, ofPicture, { tokens, fine }), decisions, tap);
    low();
    const { original } = recorded.targets('', row);
    tap('logits_high_resized', resizeBilinear(high, ...original));
  }
  const { masks, original } = recorded.targets('', 2);
  const resized = tf.slice(reducedTargets(masks, ...original), [0, RESIZED_ROWS[0], 0], [-1, RESIZED_ROWS[1], -1]);
  return [...compared, { name: 'head.2.gt_resized_rows', found: resized }];
}

/** Masks of other batches: an evaluation, four tiles, two [SEG] in an answer, and the weights as they are published. */
function otherMasks(network: Self1e, recorded: Self1eCase): Compared[] {
  const masksOf = (model: Self1e, prefix: string, { rows, pictures }: RecordedRows): tf.Tensor3D => {
    const used = tf.slice(pictures, 0, 1 + Math.max(...rows.lengths.map((_, row) => lastTile(rows.pictureOf(row)))));
    const reading = model.read(rows, { vit: model.encoders.vit.forward(used) });
    pictures.dispose();
    const found = rows.statesBefore(recorded.vocabulary.found);
    const { masks } = model.ground(reading, found.map(({ row, position }) => ({ row, states: [position] })));
    if (masks.shape[0] === 0) throw new Error(`verifySelf1eForward: "${prefix}" holds no decision`);
    return masks;
  };
  const evaluated = (): RecordedRows => recorded.rows('eval.0.', [], Array<number>(6).fill(0));
  const logits = masksOf(network, 'eval.0.', evaluated());
  const sizes = recorded.tensors.get('eval.0.logits_resized').shape;
  const resized = resizeBilinear(tf.slice(logits, 0, 1), sizes[1] ?? 0, sizes[2] ?? 0);
  const tiled = recorded.rows('extra.four_tiles.', [{ columns: 2, rows: 2 }], null, 'pixel_values');
  const published = publishedModel(recorded);
  const compared = [
    { name: 'eval.0.logits', found: logits },
    { name: 'eval.0.logits_resized', found: resized },
    { name: 'extra.four_tiles.logits', found: masksOf(network, 'extra.four_tiles.', tiled) },
    { name: 'extra.two_seg.logits', found: masksOf(network, 'extra.two_seg.', recorded.rows('extra.two_seg.', [], null, 'pixel_values')) }, // prettier-ignore
    { name: 'published.logits', found: masksOf(published, 'eval.0.', evaluated()) },
  ];
  published.dispose();
  return compared;
}

function lastTile({ firstTile, tiles }: { readonly firstTile: number; readonly tiles: number }): number {
  return firstTile + tiles - 1;
}

/**
 * The recorded model as it is published: LoRA merged, in 16 bits. The reference cast it as a whole and widened it
 * again, which leaves the frequencies of the rotary embedding rounded.
 */
function publishedModel(recorded: Self1eCase): Self1e {
  const folder = join(recorded.dir, 'published');
  const tensors: FileTensors = openCheckpoint(folder).tensors;
  const { lora, llm } = recorded.config;
  const config = { ...recorded.config, lora: { ...lora, r: 0 }, llm: { ...llm, ropeFrequencies: 'bf16' as const } };
  return withWeights(new Self1e(config), tensors, folder, 'f32');
}

/** Which key each query sees. */
function ruleItem(recorded: Self1eCase): VerifyItem {
  const { seg, imageContext } = recorded.config.tokens;
  const rule = new Mismatches('attends: which key each query sees');
  const grids = { 'vqa.': [{ columns: 2, rows: 1 }], 'extra.four_tiles.': [{ columns: 2, rows: 2 }] } as const;
  for (const name of recorded.tensors.names.filter((each) => each.endsWith('attends'))) {
    const prefix = name.slice(0, -'attends'.length);
    const { rows, pictures } = recorded.rows(prefix, grids[prefix as keyof typeof grids] ?? [], null, 'pixel_values');
    pictures.dispose();
    const visible = visibleKeys(expandedTokens(rows, imageContext), { seg, imageContext });
    rule.compare(name, visible, recorded.tensors.get(name).data);
  }
  return rule.item();
}
