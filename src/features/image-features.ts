/**
 * What the frozen encoders say of an image, as plain data: a function of the image alone, computed once and kept.
 */
import type { Abortable } from '../abortable.js';
import { stepwise } from '../engine/steps.js';
import * as tf from '../engine/tf.js';
import type { PreparedImage } from '../types.js';
import type { LlavaSam } from '../systems/shared/llava-sam.js';
import { requireFinite } from '../checkpoints/not-finite.js';

export interface EncodedImage {
  /** F_V1's features [N, D], before φ. */
  readonly clipFeatures: Float32Array;
  /** F_V2's image embedding [H, W, prompt]. */
  readonly imageEmbedding: Float32Array;
  /** [height, width] of the image inside F_V2's input. */
  readonly resized: readonly [number, number];
  /** [height, width] of the image file. */
  readonly original: readonly [number, number];
}

/** An image of which F_V2 says nothing (null) as long as no mask is asked for. */
export type ImageFeatures = Omit<EncodedImage, 'imageEmbedding'> & {
  readonly imageEmbedding: Float32Array | null;
};

/**
 * Runs F_V1 and F_V2 on a batch.
 * @param signal heard after every layer and block of theirs
 * @throws the signal's reason; nothing stays allocated then
 * @throws UserError that names the part at fault where features are not finite; so do the two below
 */
export async function encodeImages(
  gsva: LlavaSam,
  images: readonly PreparedImage[],
  signal?: Abortable,
): Promise<EncodedImage[]> {
  const clipFeatures = await encodeForClip(
    gsva,
    images.map(({ clipInput }) => clipInput),
    signal,
  );
  const imageEmbeddings = await encodeForSam(
    gsva,
    images.map(({ samInput }) => samInput),
    signal,
  );
  return images.map(({ resized, original }, index) => ({
    clipFeatures: clipFeatures[index] as Float32Array,
    imageEmbedding: imageEmbeddings[index] as Float32Array,
    resized,
    original,
  }));
}

/** F_V1's features of a batch of its inputs. */
export function encodeForClip(
  gsva: LlavaSam,
  inputs: readonly Float32Array[],
  signal?: Abortable,
): Promise<Float32Array[]> {
  return rowsOf(gsva, { name: 'F_V1', side: gsva.config.clip.imageSize, layer: gsva.encoders.clip }, inputs, signal);
}

/** F_V2's image embeddings of a batch of its inputs. */
export function encodeForSam(
  gsva: LlavaSam,
  inputs: readonly Float32Array[],
  signal?: Abortable,
): Promise<Float32Array[]> {
  return rowsOf(gsva, { name: 'F_V2', side: gsva.config.sam.imageSize, layer: gsva.encoders.sam }, inputs, signal);
}

/** Square inputs [side, side, 3] of either encoder as one tensor [B, side, side, 3]; owned by the caller. */
export function stackImages(inputs: readonly Float32Array[], side: number): tf.Tensor4D {
  return tf.tensor4d(concatenate(inputs), [inputs.length, side, side, 3]);
}

/**
 * The features of several images as tensors [B, N, D] and [B, H, W, prompt]; owned by the caller. Zeros stand where F_V2
 * has said nothing.
 */
export function stackFeatures(
  gsva: LlavaSam,
  images: readonly ImageFeatures[],
): { clipFeatures: tf.Tensor3D; imageEmbeddings: tf.Tensor4D } {
  const { clip, sam } = gsva.config;
  const grid = sam.imageSize / sam.patchSize;
  const shape: [number, number, number] = [grid, grid, sam.promptEmbedDim];
  const nothing = images.some((image) => image.imageEmbedding === null)
    ? new Float32Array(tf.util.sizeFromShape(shape))
    : null;
  return {
    clipFeatures: tf.tensor3d(concatenate(images.map((image) => image.clipFeatures)), [
      images.length,
      gsva.patches,
      clip.hiddenSize,
    ]),
    imageEmbeddings: tf.tensor4d(
      concatenate(images.map((image) => image.imageEmbedding ?? (nothing as Float32Array))),
      [images.length, ...shape],
    ),
  };
}

interface Encoder {
  /** For errors. */
  readonly name: 'F_V1' | 'F_V2';
  /** Of its square input, in pixels. */
  readonly side: number;
  readonly layer: Pick<LlavaSam['encoders'][keyof LlavaSam['encoders']], 'forward' | 'forwardSteps'>;
}

/** Features of each input [side, side, 3]; nothing is run for none. */
async function rowsOf(
  gsva: LlavaSam,
  { name, side, layer }: Encoder,
  inputs: readonly Float32Array[],
  signal: Abortable | undefined,
): Promise<Float32Array[]> {
  if (inputs.length === 0) return [];
  const images = stackImages(inputs, side);
  let features = images as tf.Tensor;
  try {
    features = await stepwise<tf.Tensor>(layer.forwardSteps(images), signal);
    const data = await features.data<'float32'>();
    await requireFinite(gsva, `Encoding an image: the features of ${name}`, data, () => {
      tf.dispose(tf.tidy(() => layer.forward(images)));
    });
    const size = data.length / inputs.length;
    return inputs.map((_, row) => data.slice(row * size, (row + 1) * size));
  } finally {
    tf.dispose([images, features]);
  }
}

function concatenate(arrays: readonly Float32Array[]): Float32Array {
  const out = new Float32Array(arrays.reduce((sum, array) => sum + array.length, 0));
  let offset = 0;
  for (const array of arrays) {
    out.set(array, offset);
    offset += array.length;
  }
  return out;
}
