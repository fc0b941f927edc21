/** LISA's masks of given answers (validation) and of answers that it writes, against the recording. */
import * as tf from '../engine/tf.js';
import { type EncodedImage, stackFeatures } from '../features/image-features.js';
import { generate } from '../inference/generate.js';
import type { JsonReader } from '../io/json/json-reader.js';
import { MultimodalRows } from '../networks/multimodal-rows.js';
import type { LlavaSam } from '../systems/shared/llava-sam.js';
import type { Geometry, Vocabulary } from '../systems/system.js';
import { Mismatches, largestDifference, largestMagnitude, toleranceItem, type VerifyItem } from './verify-item.js';
import type { LisaCase } from './lisa-case.js';
import { FORWARD_TOLERANCE } from './lisa-forward.js';

export async function verifyAnswers(
  network: LlavaSam,
  recorded: LisaCase,
  images: readonly EncodedImage[],
): Promise<VerifyItem[]> {
  const items: VerifyItem[] = [];
  for (const [i, place] of recorded.json.key('val').array().entries()) {
    const image = pictureOf(images, place);
    const tokens = recorded.tokens(`val.${i}.`, false);
    const masks = await masksOfTokens(network, recorded.vocabulary, image, tokens);
    const expected = recorded.tensors.get(`val.${i}.masks`);
    items.push(...maskItems(`val.${i}`, masks, expected.data, countsOf(place)));
  }
  const ids = new Mismatches('evaluate.*: ids that it writes');
  for (const [k, place] of recorded.json.key('evaluate').array().entries()) {
    const name = `evaluate.${k}`;
    const prompt = [...recorded.tensors.get(`${name}.prompt_ids`).data];
    const written = await write(network, recorded.vocabulary, pictureOf(images, place), prompt, place);
    ids.compare(name, written.ids.join(' '), [...recorded.tensors.get(`${name}.output_ids`).data].join(' '));
    const count = place.key('masks').integer();
    ids.compare(`masks of ${name}`, written.masks.length, count);
    if (count === 0) continue;
    const drawn = written.masks.flatMap((mask) => [...mask]);
    items.push(...maskItems(name, drawn, recorded.tensors.get(`${name}.masks`).data, countsOf(place)));
  }
  return [ids.item(), ...items];
}

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
  tokens: ConstructorParameters<typeof MultimodalRows>[0],
): Promise<Float32Array> {
  const rows = new MultimodalRows(tokens, network.patches);
  const features = stackFeatures(
    network,
    Array.from({ length: tokens.batch }, () => image),
  );
  const masks = tf.tidy(() => {
    const reading = network.read(rows, features);
    const states = rows.statesBefore(vocabulary.found);
    const places = states.map(({ row, position }) => ({ row, states: [position] }));
    const geometry: Geometry = { original: image.original, resized: image.resized };
    return network.enlarge(network.ground(reading, places).masks, geometry);
  });
  try {
    return Float32Array.from(await masks.data<'float32'>());
  } finally {
    tf.dispose([masks, features]);
  }
}

interface Counts {
  /** Pixels that rounding may turn. */
  readonly loose: number;
  /** Pixels inside each mask. */
  readonly positive: readonly number[];
}

function countsOf(place: JsonReader): Counts {
  return { loose: place.key('pixels_within_1e4_of_zero').integer(), positive: place.key('positive').numbers() };
}

/** Logits, and the pixels that are inside. */
export function maskItems(
  name: string,
  found: ArrayLike<number>,
  expected: Float32Array,
  { loose, positive }: Counts,
): VerifyItem[] {
  const error = largestDifference(found, expected) / largestMagnitude(expected);
  let differing = 0;
  for (let i = 0; i < expected.length; i++)
    differing += Number((found[i] as number) > 0 !== (expected[i] as number) > 0);
  const pixels = expected.length / Math.max(1, positive.length);
  const counts = positive.map((count, i) => {
    const own = Array.from({ length: pixels }, (_, at) => Number((found[i * pixels + at] as number) > 0));
    return Math.abs(own.reduce((sum, value) => sum + value, 0) - count);
  });
  return [
    toleranceItem(`${name}.masks`, error, FORWARD_TOLERANCE, 'logits, relative to the largest value'),
    toleranceItem(`${name}: pixels inside`, Math.max(differing, ...counts), loose, `${positive.length} masks`),
  ];
}
