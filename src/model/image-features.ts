/**
 * What the frozen encoders say of an image, as plain data: a function of the image alone, computed once and kept.
 */
import * as tf from '../engine/tf.js';
import type { PreparedImage } from '../types.js';
import type { Gsva } from './gsva.js';

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

/** Runs F_V1 and F_V2 on a batch. */
export async function encodeImages(gsva: Gsva, images: readonly PreparedImage[]): Promise<EncodedImage[]> {
  const { clip, sam } = gsva.config;
  const run = async (encode: () => tf.Tensor): Promise<Float32Array[]> => {
    const features = tf.tidy(encode);
    try {
      return await rowsOf(features);
    } finally {
      features.dispose();
    }
  };
  const clipInputs = images.map((image) => image.clipInput);
  const samInputs = images.map((image) => image.samInput);
  const clipFeatures = await run(() => gsva.visionTower.forward(stackImages(clipInputs, clip.imageSize)));
  const imageEmbeddings = await run(() => gsva.imageEncoder.forward(stackImages(samInputs, sam.imageSize)));
  return images.map(({ resized, original }, index) => ({
    clipFeatures: clipFeatures[index] as Float32Array,
    imageEmbedding: imageEmbeddings[index] as Float32Array,
    resized,
    original,
  }));
}

/** Square inputs [side, side, 3] of either encoder as one tensor [B, side, side, 3]; owned by the caller. */
export function stackImages(inputs: readonly Float32Array[], side: number): tf.Tensor4D {
  return tf.tensor4d(concatenate(inputs), [inputs.length, side, side, 3]);
}

/** The features of several images as tensors [B, N, D] and [B, H, W, prompt]; owned by the caller. */
export function stackFeatures(
  gsva: Gsva,
  images: readonly EncodedImage[],
): { clipFeatures: tf.Tensor3D; imageEmbeddings: tf.Tensor4D } {
  const { clip, sam } = gsva.config;
  const grid = sam.imageSize / sam.patchSize;
  return {
    clipFeatures: tf.tensor3d(concatenate(images.map((image) => image.clipFeatures)), [
      images.length,
      gsva.patches,
      clip.hiddenSize,
    ]),
    imageEmbeddings: tf.tensor4d(concatenate(images.map((image) => image.imageEmbedding)), [
      images.length,
      grid,
      grid,
      sam.promptEmbedDim,
    ]),
  };
}

async function rowsOf(tensor: tf.Tensor): Promise<Float32Array[]> {
  const [rows] = tensor.shape as [number];
  const data = await tensor.data<'float32'>();
  const size = data.length / rows;
  return Array.from({ length: rows }, (_, row) => data.slice(row * size, (row + 1) * size));
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
