/** SELF1E's way from states to masks, step by step, against the recording. */
import * as tf from '../engine/tf.js';
import { statesAt } from '../networks/states-at.js';
import { resizeBilinear } from '../nn/bilinear.js';
import { reducedTargets } from '../systems/self1e/mask-losses.js';
import type { Self1e } from '../systems/self1e/model.js';
import type { Tap } from '../systems/self1e/refill.js';
import { tilesOf } from '../systems/self1e/tiles.js';
import type { Place } from '../systems/system.js';
import { placesOf } from './model-training.js';
import type { RecordedRows, Self1eCase } from './self1e-case.js';
import { type Compared, OF_TILES, tileByTile } from './self1e-compared.js';

/** First row of a resized target that is recorded, where it has as many. */
const FIRST_RESIZED_ROW = 40;
/** Recorded of every row with a [SEG]; of some rows more is. */
const ALWAYS = ['query', 'logits_high', 'logits_low'];

export function headTensors(network: Self1e, recorded: Self1eCase, { rows, pictures }: RecordedRows): Compared[] {
  const features = { vit: network.encoders.vit.forward(pictures) };
  const { hidden } = network.read(rows, features);
  const patches = network.patchGrids(features);
  const own = { tokens: network.projector.tokens(patches), fine: network.projector.fine(patches, 'self-replication') };
  const compared: Compared[] = [];
  for (const [row, positions] of positionsByRow(placesOf(rows, recorded.vocabulary))) {
    const picture = rows.pictureOf(row);
    const tap: Tap = (name, x) => {
      const full = `head.${row}.${name}`;
      if (!recorded.tensors.names.includes(full) && !ALWAYS.includes(name)) return x;
      const other = name !== 'i_states' && OF_TILES.includes(name) ? tileByTile(x, picture.grid) : null;
      compared.push({ name: full, found: tf.clone(x), ...(other === null ? {} : { reordered: other }) });
      return x;
    };
    const tokens = tilesOf(own.tokens, picture);
    const ofPicture: tf.Tensor4D = tf.reshape(statesAt(hidden, network.picturePositions(rows, row)), tokens.shape);
    const fine = tilesOf(own.fine as tf.Tensor4D, picture);
    const decisions = tap('s_state', statesAt(hidden, positions));
    const joined = network.joined(picture, ofPicture, { tokens, fine });
    const iStates = `head.${row}.i_states`;
    if (recorded.tensors.names.includes(iStates)) {
      compared.push({ name: iStates, found: ofPicture, reordered: tf.clone(joined.states) });
    }
    const { high, low } = network.refill.masks(joined, decisions, tap);
    low();
    const { original, masks } = recorded.targets('', row);
    tap('logits_high_resized', resizeBilinear(high, ...original));
    const name = `head.${row}.gt_resized_rows`;
    if (!recorded.tensors.names.includes(name)) continue;
    const resized = reducedTargets(masks, ...original);
    const [, count = 0] = recorded.tensors.get(name).shape;
    const begin = Math.max(0, Math.min(FIRST_RESIZED_ROW, resized.shape[1] - count));
    compared.push({ name, found: tf.slice(resized, [0, begin, 0], [-1, Math.min(count, resized.shape[1]), -1]) });
  }
  return compared;
}

/** States before the decisions of every row that has some. */
export function positionsByRow(places: readonly Place[]): Map<number, number[]> {
  const byRow = new Map<number, number[]>();
  for (const { row, states } of places) byRow.set(row, [...(byRow.get(row) ?? []), ...states]);
  return byRow;
}
