/** LISA's masks of given answers (validation) and of answers that it writes, against the recording. */
import * as tf from '../engine/tf.js';
import { type EncodedImage, stackFeatures } from '../features/image-features.js';
import { generate } from '../inference/generate.js';
import type { JsonReader } from '../io/json/json-reader.js';
import { MultimodalRows, type TokenBatch } from '../networks/multimodal-rows.js';
import type { LlavaSam } from '../systems/shared/llava-sam.js';
import type { Vocabulary } from '../systems/system.js';
import { Mismatches, largestDifference, largestMagnitude, toleranceItem, type VerifyItem } from './verify-item.js';
import type { LisaCase } from './lisa-case.js';
import type { Comparison } from './model-case.js';
import { RELATIVE_TOLERANCE } from './model-forward.js';

export const verifyAnswers: Comparison<LisaCase, readonly EncodedImage[]> = async (network, recorded, images) => {
  const items: VerifyItem[] = [];
  for (const [i, place] of recorded.json.key('val').array().entries()) {
    const image = pictureOf(images, place);
    const masks = await masksOfTokens(network, recorded.vocabulary, image, recorded.tokenBatch(`val.${i}.`, false));
    items.push(...maskItems(`val.${i}`, masks, recorded, place));
  }
  const ids = new Mismatches('evaluate.*: ids that it writes');
  for (const [k, place] of recorded.json.key('evaluate').array().entries()) {
    const name = `evaluate.${k}`;
    const prompt = [...recorded.tensors.get(`${name}.prompt_ids`).data];
    const written = await write(network, recorded.vocabulary, pictureOf(images, place), prompt, place);
    ids.compare(name, written.ids, recorded.tensors.get(`${name}.output_ids`).data);
    const count = place.key('masks').integer();
    ids.compare(`masks of ${name}`, written.masks.length, count);
    const drawn = written.masks.flatMap((mask) => [...mask]);
    if (count > 0) items.push(...maskItems(name, drawn, recorded, place));
  }
  return [ids.item(), ...items];
};

function pictureOf(images: readonly EncodedImage[], place: JsonReader): EncodedImage {
  const number = place.key('image').integer({ min: 0 });
  return images[number] ?? place.key('image').fail(`a number below ${images.length}`);
}

/** An answer as the reference records it: with the prompt, and </s> where the model ended it. */
export async function write(
  network: LlavaSam,
  vocabulary: Vocabulary,
  image: EncodedImage,
  prompt: readonly number[],
  place: JsonReader,
): Promise<{ readonly ids: readonly number[]; readonly masks: readonly Float32Array[] }> {
  const maxTokens = place.key('max_new_tokens').integer({ min: 1 });
  const { ids, end, decisions } = await generate(network, vocabulary, image, prompt, { maxTokens });
  const masks = decisions.flatMap(({ mask }) => (mask === null ? [] : [mask.data]));
  return { ids: [...prompt, ...ids, ...(end === 'end-of-text' ? [vocabulary.end] : [])], masks };
}

/** Mask logits of every [SEG] of rows about one picture, at its size. */
export async function masksOfTokens(
  network: LlavaSam,
  vocabulary: Vocabulary,
  image: EncodedImage,
  tokens: TokenBatch,
): Promise<Float32Array> {
  const rows = new MultimodalRows(tokens, network.patches);
  const images = Array.from({ length: tokens.batch }, () => image);
  const features = stackFeatures(network, images);
  const masks = tf.tidy(() => {
    const reading = network.read(rows, features);
    const states = rows.statesBefore(vocabulary.found);
    const places = states.map(({ row, position }) => ({ row, states: [position] }));
    return network.enlarge(network.ground(reading, places).masks, image);
  });
  try {
    return Float32Array.from(await masks.data<'float32'>());
  } finally {
    tf.dispose([masks, features]);
  }
}

/** Logits, and the pixels that are inside. */
function maskItems(name: string, found: ArrayLike<number>, { tensors }: LisaCase, place: JsonReader): VerifyItem[] {
  const positive = place.key('positive').numbers();
  const expected = tensors.get(`${name}.masks`).data;
  const isInside = (values: ArrayLike<number>, at: number): number => Number((values[at] as number) > 0);
  const differing = expected.reduce((sum, _, at) => sum + Number(isInside(found, at) !== isInside(expected, at)), 0);
  const pixels = expected.length / Math.max(1, positive.length);
  const counts = positive.map((count, i) => {
    const own = Array.from({ length: pixels }, (_, at) => isInside(found, i * pixels + at));
    return Math.abs(own.reduce((sum, value) => sum + value, 0) - count);
  });
  // Pixels near 0 may be turned by rounding.
  const loose = place.key('pixels_within_1e4_of_zero').integer();
  return [
    logitsItem(name, found, expected),
    toleranceItem(`${name}: pixels inside`, Math.max(differing, ...counts), loose, `${positive.length} masks`),
  ];
}

export function logitsItem(name: string, found: ArrayLike<number>, expected: Float32Array): VerifyItem {
  const error = largestDifference(found, expected) / largestMagnitude(expected);
  return toleranceItem(`${name}.masks`, error, RELATIVE_TOLERANCE, 'logits, relative to the largest value');
}
