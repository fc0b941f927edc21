/** From decisions to masks: each is grounded on its own image, and its mask enlarged to the image's own size. */
import type { Abortable } from '../abortable.js';
import { requireFinite } from '../checkpoints/not-finite.js';
import { pause } from '../engine/steps.js';
import * as tf from '../engine/tf.js';
import { type EncodedImage, stackFeatures } from '../features/image-features.js';
import type { Answer, Geometry, GroundingModel, Place, Reading } from '../systems/system.js';

/** Mask logits at the image's size, row-major: 0 and above is inside. `data.length === height * width`. */
export interface MaskLogits {
  readonly data: Float32Array;
  readonly height: number;
  readonly width: number;
}

/** A mask takes several copies of its image's features: the most values of one copy for all that are drawn at once. */
const MOST_FEATURE_VALUES = 2 ** 25;

/**
 * @param places their rows ascending
 * @param images of the reading's rows
 * @param signal heard before every batch of masks
 * @returns one mask per place, its logits finite
 * @throws UserError that names the part of the network at fault where they are not
 */
export async function drawMasks(
  network: GroundingModel,
  reading: Pick<Reading, 'hidden' | 'features'>,
  places: readonly Place[],
  images: readonly Geometry[],
  signal?: Abortable,
): Promise<MaskLogits[]> {
  const sizes = Object.values(reading.features).map(({ size, shape }) => size / shape[0]);
  const atOnce = Math.max(1, Math.floor(MOST_FEATURE_VALUES / Math.max(...sizes)));
  const masks: MaskLogits[] = [];
  for (let first = 0; first < places.length; first += atOnce) {
    await pause(signal);
    const some = places.slice(first, first + atOnce);
    const compute = (): tf.Tensor3D[] => {
      const { masks } = network.ground(reading, some);
      return runs(some.map(({ row }) => row)).map(([row, begin, end]) => {
        const image = images[row];
        if (image === undefined) throw new Error(`drawMasks: a place is in row ${row} of ${images.length}`);
        return network.enlarge(tf.slice(masks, [begin, 0, 0], [end - begin, -1, -1]), image);
      });
    };
    const enlarged = tf.tidy(compute);
    const check = (data: Float32Array): Promise<void> =>
      requireFinite(network, 'Answering: the logits of a mask', data, () => {
        tf.dispose(tf.tidy(compute));
      });
    try {
      for (const logits of enlarged) masks.push(...(await readMasks(logits, check)));
    } finally {
      tf.dispose(enlarged);
    }
  }
  return masks;
}

/** Decisions with the masks of those that were found, all about one image, by their states [D]. */
export async function withMasks<T extends { readonly answer: Answer; readonly state: Float32Array }>(
  network: GroundingModel,
  image: EncodedImage,
  decided: readonly T[],
  signal: Abortable | undefined,
): Promise<(Omit<T, 'state'> & { readonly mask: MaskLogits | null })[]> {
  const found = decided.filter(({ answer }) => answer === 'found').map(({ state }) => state);
  const masks = await masksOfStates(network, image, found, signal);
  return decided.map(({ state: _, ...decision }) => {
    return { ...decision, mask: decision.answer === 'found' ? (masks.shift() ?? null) : null };
  });
}

/** Masks of states [D], all about one image. */
export async function masksOfStates(
  network: GroundingModel,
  image: EncodedImage,
  states: readonly Float32Array[],
  signal?: Abortable,
): Promise<MaskLogits[]> {
  const [first] = states;
  if (first === undefined) return [];
  const size = first.length;
  const all = new Float32Array(states.length * size);
  for (const [index, state] of states.entries()) all.set(state, index * size);
  const hidden = tf.tensor3d(all, [1, states.length, size]);
  const features = stackFeatures(network, [image]);
  try {
    const places = states.map((_, index) => ({ row: 0, states: [index] }));
    return await drawMasks(network, { hidden, features }, places, [image], signal);
  } finally {
    tf.dispose([hidden, features]);
  }
}

async function readMasks(logits: tf.Tensor3D, check: (data: Float32Array) => Promise<void>): Promise<MaskLogits[]> {
  const [count, height, width] = logits.shape;
  const data = await logits.data<'float32'>();
  await check(data);
  const pixels = height * width;
  return Array.from({ length: count }, (_, i) => ({ data: data.slice(i * pixels, (i + 1) * pixels), height, width }));
}

/** Stretches of equal values: [value, begin, end). */
function runs(values: readonly number[]): [number, number, number][] {
  const found: [number, number, number][] = [];
  for (const [index, value] of values.entries()) {
    const last = found.at(-1);
    if (last?.[0] === value) last[2] = index + 1;
    else found.push([value, index, index + 1]);
  }
  return found;
}
