/** SELF1E's answers against the recording: masks of validation sets, and words over a cache. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { emptyRle, encodeMask, mergeRles, type Rle, rleArea } from '../data/masks/coco-mask.js';
import { padBatch, type TokenizedConversation } from '../data/text/conversation.js';
import * as tf from '../engine/tf.js';
import { type EncodedImage, encodeImages, stackFeatures } from '../features/image-features.js';
import { rowsAbout } from '../features/image-rows.js';
import { DecodingSession } from '../inference/decoding-session.js';
import { generate } from '../inference/generate.js';
import type { Predictor } from '../inference/predictor.js';
import { binaryMask } from '../inference/segment-result.js';
import { teacherForce } from '../inference/teacher-forcing.js';
import type { JsonReader } from '../io/json/json-reader.js';
import { pair } from './model-case.js';
import type { Self1eCase } from './self1e-case.js';
import { relativeItem, SELF1E_TOLERANCE } from './self1e-compared.js';
import { recordedMasks, verifySelf1eSet } from './self1e-sets.js';
import { askedIds, conversationsOf, textItems, tokenized } from './self1e-texts.js';
import {
  itemsOf,
  largestDifference,
  largestMagnitude,
  Mismatches,
  toleranceItem,
  type VerifyItem,
} from './verify-item.js';

/** Validation sets whose pictures the recording is about, next to it. */
const DATA = ['..', 'datasets', 'data'] as const;

/** @param predictor with the recorded weights */
export async function verifySelf1eAnswers(predictor: Predictor, recorded: Self1eCase): Promise<VerifyItem[]> {
  const items = textItems(predictor, recorded);
  const dataDir = join(recorded.dir, ...DATA);
  for (const [set, place] of recorded.json.optional('eval')?.entries() ?? []) {
    for (const picture of place.key('images').array())
      items.push(...(await verifyPicture(predictor, recorded, picture)));
    if (existsSync(dataDir)) items.push(...(await verifySelf1eSet(predictor, recorded, { set, place, dataDir })));
  }
  return [...items, ...(await verifyChat(predictor, recorded))];
}

/** Logits and masks of all questions about a picture, with the answers given. */
async function verifyPicture(predictor: Predictor, recorded: Self1eCase, place: JsonReader): Promise<VerifyItem[]> {
  const name = place.key('tensors').string();
  const { network, asking } = predictor;
  const image = await encoded(predictor, recorded, `${name}.`, pair(place.key('size')));
  const items = conversationsOf(place).map((text) => ({ image, conversation: tokenized(predictor, text) }));
  const logits = await lowLogits(
    predictor,
    items.map(({ conversation }) => conversation),
    image,
  );
  const answers = await teacherForce(network, asking.vocabulary, items);
  const found = answers.flatMap(({ masks }) => masks).map((mask) => encodeMask(binaryMask(mask, 'logit > 0')));
  const expected = recordedMasks(place);
  const differing = found.map((rle, i) => differingPixels(rle, expected[i] ?? emptyRle(0, 0)));
  const loose = place.key('pixels_within_1e4_of_zero').integer({ min: 0 });
  const count = differing.reduce((sum, pixels) => sum + pixels, 0);
  const error = found.length === expected.length ? count : Infinity;
  return [
    { ...relativeItem(recorded, `${name}.logits`, logits), item: `${name}: logits, from the texts` },
    toleranceItem(`${name}: masks`, error, loose, `differing pixels of ${expected.length} masks`),
  ];
}

function differingPixels(found: Rle, expected: Rle): number {
  if (found.size.join() !== expected.size.join()) return Infinity;
  return rleArea(found) + rleArea(expected) - 2 * rleArea(mergeRles([found, expected], true));
}

/** High logits of conversations about a picture, before they are enlarged. */
async function lowLogits(
  { network, asking }: Predictor,
  conversations: readonly TokenizedConversation[],
  image: EncodedImage,
): Promise<Float32Array> {
  const images = conversations.map(() => image);
  const features = stackFeatures(network, images);
  const masks = tf.tidy(() => {
    const rows = rowsAbout(network, padBatch(conversations, asking.vocabulary.pad), images);
    const places = rows.statesBefore(asking.vocabulary.found, 'supervised');
    const reading = network.read(rows, features);
    return network.ground(
      reading,
      places.map(({ row, position }) => ({ row, states: [position] })),
    ).masks;
  });
  try {
    return Float32Array.from(await masks.data<'float32'>());
  } finally {
    tf.dispose([masks, features]);
  }
}

/** Words that the model writes, token by token over a cache. */
async function verifyChat(predictor: Predictor, recorded: Self1eCase): Promise<VerifyItem[]> {
  const prompts = new Mismatches('chat.*.input_ids: ids of the questions');
  const written = new Mismatches('chat.*.new_ids: ids that it writes');
  const items: VerifyItem[] = [];
  for (const [i, place] of (recorded.json.optional('chat')?.array() ?? []).entries()) {
    const name = `chat.${i}`;
    const image = await encoded(predictor, recorded, `${name}.`, [1, 1]);
    const { inputIds } = recorded.collapsed(recorded.tensors.get(`${name}.input_ids`).data, null);
    prompts.compare(name, askedIds(predictor, place.key('question').string()), inputIds);
    const first = await firstLogits(predictor, image, inputIds);
    items.push(relativeItem(recorded, `${name}.first_logits`, first));
    const expected = [...recorded.tensors.get(`${name}.new_ids`).data];
    const { network, asking } = predictor;
    const { ids, end } = await generate(network, asking.vocabulary, image, inputIds, { maxTokens: expected.length });
    const own = end === 'end-of-text' ? [...ids, asking.vocabulary.end] : ids;
    // Two tokens that rounding can make change places are no fault.
    const isClose = place.key('smallest_margin').number() <= 2 * SELF1E_TOLERANCE * largestMagnitude(first);
    written.compare(name, isClose && largestDifference(own, expected) > 0 ? expected : own, expected);
  }
  return [...itemsOf(prompts, written), ...items];
}

async function firstLogits({ network }: Predictor, image: EncodedImage, ids: readonly number[]): Promise<Float32Array> {
  const session = new DecodingSession(network, image);
  try {
    return (await session.feed(ids)).logits;
  } finally {
    session.dispose();
  }
}

/** A recorded picture after the encoder. @param original its size [height, width] */
async function encoded(
  { network }: Predictor,
  recorded: Self1eCase,
  prefix: string,
  original: readonly [number, number],
): Promise<EncodedImage> {
  const { pixels, grids } = recorded.layout(prefix);
  const pictures = recorded.pictures(pixels);
  const vit = Float32Array.from(await pictures.data<'float32'>());
  pictures.dispose();
  const grid = grids[0] ?? { columns: 1, rows: 1 };
  const [image] = await encodeImages(network, [{ inputs: { vit }, original, resized: original, grid }]);
  return image as EncodedImage;
}
