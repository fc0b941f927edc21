/** Features of frozen encoders as plain arrays, by encoder name. They depend on the image alone, so they are kept. */
import type { Abortable } from '../abortable.js';
import { type Network, requireFinite } from '../checkpoints/not-finite.js';
import { stepwise } from '../engine/steps.js';
import * as tf from '../engine/tf.js';
import type { Encoder } from '../networks/encoder.js';
import type { Arrays, ImageSize, PreparedImage } from '../types.js';

/** A model and its encoders by name. */
export type EncodingModel<E extends Encoders = Encoders> = Network & { readonly encoders: E };
type Encoders = Readonly<Record<string, Encoder>>;

export interface EncodedImage extends ImageSize {
  /** Features by encoder; those that nobody has asked for are absent. */
  readonly features: Arrays;
}

/**
 * Runs each encoder once on the images that have its input; nothing stays allocated after an error.
 * @param signal heard after every layer and block @throws its reason; UserError naming a part that is not finite
 */
export async function encodeImages(
  model: EncodingModel,
  images: readonly PreparedImage[],
  signal?: Abortable,
): Promise<EncodedImage[]> {
  const features = images.map((): Record<string, Float32Array> => ({}));
  for (const name of Object.keys(model.encoders)) {
    const rows = images.flatMap(({ inputs }, row) => {
      const input = inputs[name];
      return input === undefined ? [] : [{ input, found: features[row] as Record<string, Float32Array> }];
    });
    if (rows.length === 0) continue;
    const inputs = rows.map(({ input }) => input);
    for (const [row, numbers] of (await encode(model, name, inputs, signal)).entries()) {
      (rows[row] as (typeof rows)[number]).found[name] = numbers;
    }
  }
  return images.map(({ inputs: _, ...size }, row) => ({ ...size, features: features[row] as Arrays }));
}

/** Square inputs [side, side, 3] as one tensor [B, side, side, 3]; owned by the caller. */
export function stackImages(inputs: readonly Float32Array[], side: number): tf.Tensor4D {
  return stack(inputs, [side, side, 3]) as tf.Tensor4D;
}

/**
 * Features of several images as [B, …] per encoder, zeros for absent ones; owned by the caller. Of an encoder that takes
 * tiles [T, …], all tiles of the first image before those of the second (`tileCounts`).
 */
export function stackFeatures<E extends Encoders>(
  { encoders }: { readonly encoders: E },
  images: readonly EncodedImage[],
): { [N in keyof E]: ReturnType<E[N]['forward']> } {
  const stacked = Object.entries(encoders).map(([name, encoder]) => {
    const shape = featureShape(encoder);
    const isWhole = images.every(({ features }) => name in features);
    const zeros = new Float32Array(isWhole ? 0 : tf.util.sizeFromShape(shape));
    const arrays = images.map(({ features }) => features[name] ?? zeros);
    return [name, stack(arrays, shape)];
  });
  return Object.fromEntries(stacked) as { [N in keyof E]: ReturnType<E[N]['forward']> };
}

/**
 * Tiles of each image in `stackFeatures`, thumbnails included; 1 for an encoder that takes images whole.
 * @param name of the encoder
 */
export function tileCounts(
  { encoders }: { readonly encoders: Encoders },
  name: string,
  images: readonly EncodedImage[],
): number[] {
  const size = tf.util.sizeFromShape(featureShape(encoders[name] as Encoder));
  return images.map(({ features }) => (features[name]?.length ?? size) / size);
}

/** Numbers of the features of one input, by encoder. */
export function featureSizes({ encoders }: { readonly encoders: Encoders }): Readonly<Record<string, number>> {
  const sizes = Object.entries(encoders).map(([name, encoder]) => [name, tf.util.sizeFromShape(featureShape(encoder))]);
  return Object.fromEntries(sizes) as Record<string, number>;
}

/** Shape of the features of one input, without the batch. */
function featureShape(encoder: Encoder): number[] {
  return encoder.computeOutputShape([1, ...encoder.imageShape]).slice(1) as number[];
}

async function encode(
  model: EncodingModel,
  name: string,
  inputs: readonly Float32Array[],
  signal: Abortable | undefined,
): Promise<Float32Array[]> {
  const encoder = model.encoders[name] as Encoder;
  const perInput = tf.util.sizeFromShape([...encoder.imageShape]);
  const tiles = inputs.map(({ length }) => length / perInput);
  if (!tiles.every((count) => (encoder.takesTiles === true ? Number.isInteger(count) : count === 1))) {
    throw new Error(
      `encodeImages: inputs of "${name}" are ${tiles.join(', ')} times [${encoder.imageShape.join(', ')}]`,
    );
  }
  const images = stack(inputs, encoder.imageShape);
  let features = images;
  try {
    features = await stepwise<tf.Tensor>(encoder.forwardSteps(images), signal);
    const data = await features.data<'float32'>();
    await requireFinite(model, `Encoding an image: the features of the encoder "${name}"`, data, () => {
      tf.dispose(tf.tidy(() => encoder.forward(images)));
    });
    const size = data.length / images.shape[0];
    let offset = 0;
    return tiles.map((count) => {
      const begin = offset;
      offset += size * count;
      return data.slice(begin, offset);
    });
  } finally {
    tf.dispose([images, features]);
  }
}

/** Features of an image from two places. */
export function merged(a: EncodedImage | null, b: EncodedImage | null): EncodedImage | null {
  if (a === null || b === null) return a ?? b;
  return { ...a, features: { ...a.features, ...b.features } };
}

/** Arrays of one shape, or of several such after each other → [B, …shape]. */
function stack(arrays: readonly Float32Array[], shape: readonly number[]): tf.Tensor {
  const all = new Float32Array(arrays.reduce((sum, array) => sum + array.length, 0));
  let offset = 0;
  for (const array of arrays) {
    all.set(array, offset);
    offset += array.length;
  }
  return tf.tensor(all, [all.length / tf.util.sizeFromShape([...shape]), ...shape]);
}

/** Inputs of several images as [B, …] per encoder, tiles one after the other; owned by the caller. */
export function stackPrepared(
  { encoders }: { readonly encoders: Encoders },
  images: readonly PreparedImage[],
): Record<string, tf.Tensor> {
  const stacked = Object.entries(encoders).map(([name, { imageShape }]): [string, tf.Tensor] => {
    const inputs = images.map((image) => {
      const input = image.inputs[name];
      if (input === undefined) throw new Error(`stackPrepared: an image has no input for "${name}"`);
      return input;
    });
    return [name, stack(inputs, imageShape)];
  });
  return Object.fromEntries(stacked);
}
