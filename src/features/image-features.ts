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
  return images.map(({ resized, original }, row) => ({ features: features[row] as Arrays, resized, original }));
}

/** Square inputs [side, side, 3] as one tensor [B, side, side, 3]; owned by the caller. */
export function stackImages(inputs: readonly Float32Array[], side: number): tf.Tensor4D {
  return stack(inputs, [side, side, 3]) as tf.Tensor4D;
}

/** Features of several images as [B, …] per encoder, zeros for absent ones; owned by the caller. */
export function stackFeatures<E extends Encoders>(
  { encoders }: { readonly encoders: E },
  images: readonly EncodedImage[],
): { [N in keyof E]: ReturnType<E[N]['forward']> } {
  const stacked = Object.entries(encoders).map(([name, encoder]) => {
    const shape = encoder.computeOutputShape([images.length, ...encoder.imageShape]).slice(1) as number[];
    const isWhole = images.every(({ features }) => name in features);
    const zeros = new Float32Array(isWhole ? 0 : tf.util.sizeFromShape(shape));
    const arrays = images.map(({ features }) => features[name] ?? zeros);
    return [name, stack(arrays, shape)];
  });
  return Object.fromEntries(stacked) as { [N in keyof E]: ReturnType<E[N]['forward']> };
}

async function encode(
  model: EncodingModel,
  name: string,
  inputs: readonly Float32Array[],
  signal: Abortable | undefined,
): Promise<Float32Array[]> {
  const encoder = model.encoders[name] as Encoder;
  const images = stack(inputs, encoder.imageShape);
  let features = images;
  try {
    features = await stepwise<tf.Tensor>(encoder.forwardSteps(images), signal);
    const data = await features.data<'float32'>();
    await requireFinite(model, `Encoding an image: the features of the encoder "${name}"`, data, () => {
      tf.dispose(tf.tidy(() => encoder.forward(images)));
    });
    const size = data.length / inputs.length;
    return inputs.map((_, row) => data.slice(row * size, (row + 1) * size));
  } finally {
    tf.dispose([images, features]);
  }
}

/** Features of an image from two places. */
export function merged(a: EncodedImage | null, b: EncodedImage | null): EncodedImage | null {
  if (a === null || b === null) return a ?? b;
  return { ...a, features: { ...a.features, ...b.features } };
}

/** Arrays of one shape → [B, …shape]. */
function stack(arrays: readonly Float32Array[], shape: readonly number[]): tf.Tensor {
  const all = new Float32Array(arrays.reduce((sum, array) => sum + array.length, 0));
  let offset = 0;
  for (const array of arrays) {
    all.set(array, offset);
    offset += array.length;
  }
  return tf.tensor(all, [arrays.length, ...shape]);
}
