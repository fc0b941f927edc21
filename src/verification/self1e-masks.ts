/** SELF1E's masks of recorded rows, and the weights as they are published; which key each query sees, and positions. */
import { join } from 'node:path';
import { withWeights } from '../checkpoints/checkpoint-directory.js';
import * as tf from '../engine/tf.js';
import { openCheckpoint } from '../io/checkpoint-files.js';
import type { FileTensors } from '../io/file-tensor.js';
import { resizeBilinear } from '../nn/bilinear.js';
import { expandedTokens, visibleKeys } from '../systems/self1e/attention-rule.js';
import { Self1e } from '../systems/self1e/model.js';
import type { Self1eCase } from './self1e-case.js';
import type { Compared } from './self1e-compared.js';
import { evaluatedPictures, extraRows } from './self1e-layouts.js';
import { itemsOf, Mismatches, type VerifyItem } from './verify-item.js';

/** Masks of evaluations whose ids are recorded, of further rows, and of the published weights. */
export function otherMasks(network: Self1e, recorded: Self1eCase): Compared[] {
  const { json, tensors } = recorded;
  const evaluated = evaluatedPictures(json).map((place) => place.key('tensors').string());
  const withIds = evaluated.filter((name) => tensors.names.includes(`${name}.input_ids`));
  const compared = withIds.flatMap((name): Compared[] => {
    const logits = masksOf(network, recorded, `${name}.`);
    const resized = `${name}.logits_resized`;
    const found = [{ name: `${name}.logits`, found: logits }];
    if (!tensors.names.includes(resized)) return found;
    const [count = 0, height = 0, width = 0] = tensors.get(resized).shape;
    return [...found, { name: resized, found: resizeBilinear(tf.slice(logits, 0, count), height, width) }];
  });
  // A recording has all of the further rows or none of them.
  const hasExtra = tensors.names.some((name) => name.startsWith('extra.'));
  const extra = hasExtra ? extraRows(json).map(([name]) => `extra.${name}.`) : [];
  compared.push(...extra.map((prefix) => ({ name: `${prefix}logits`, found: masksOf(network, recorded, prefix) })));
  const model = publishedModel(recorded);
  const same = json.key('published').key('same_input_as').string();
  compared.push({ name: 'published.logits', found: masksOf(model, recorded, `${same}.`) });
  model.dispose();
  return compared;
}

/** High logits of every [SEG] of recorded rows. */
function masksOf(model: Self1e, recorded: Self1eCase, prefix: string): tf.Tensor3D {
  const { rows, pictures } = recorded.rows(prefix);
  const reading = model.read(rows, { vit: model.encoders.vit.forward(pictures) });
  pictures.dispose();
  const found = rows.statesBefore(recorded.vocabulary.found);
  return model.ground(
    reading,
    found.map(({ row, position }) => ({ row, states: [position] })),
  ).masks;
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

/** Which key each query sees, and the positions of tokens; 0 at padding. */
export function ruleItems(recorded: Self1eCase): VerifyItem[] {
  const { seg, imageContext } = recorded.config.tokens;
  const rule = new Mismatches('attends: which key each query sees');
  const positions = new Mismatches('position_ids');
  for (const prefix of recorded.layouts.keys()) {
    const has = (name: string): boolean => recorded.tensors.names.includes(prefix + name);
    if (!has('attends') && !has('position_ids')) continue;
    const { rows, pictures } = recorded.rows(prefix);
    pictures.dispose();
    if (has('attends')) {
      const visible = visibleKeys(expandedTokens(rows, imageContext), { seg, imageContext });
      rule.compare(`${prefix}attends`, visible, recorded.tensors.get(`${prefix}attends`).data);
    }
    if (has('position_ids')) {
      const own = rows.lengths.flatMap((length) => Array.from({ length: rows.time }, (_, i) => (i < length ? i : 0)));
      positions.compare(`${prefix}position_ids`, own, recorded.tensors.get(`${prefix}position_ids`).data);
    }
  }
  return itemsOf(rule, positions);
}
