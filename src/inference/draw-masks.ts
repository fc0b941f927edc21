/** From mask queries to masks: F_mask on each query's own image, then mask logits at the image's own size. */
import type { Abortable } from '../abortable.js';
import { pause } from '../engine/steps.js';
import * as tf from '../engine/tf.js';
import type { LlavaSam } from '../systems/shared/llava-sam.js';
import type { EncodedImage } from '../features/image-features.js';
import { requireFinite } from '../checkpoints/not-finite.js';
import { resizeMasks } from '../nn/bilinear.js';

/** Mask logits at the image's size, row-major: 0 and above is inside. `data.length === height * width`. */
export interface MaskLogits {
  readonly data: Float32Array;
  readonly height: number;
  readonly width: number;
}

/** F_mask holds a copy of the image embedding per query, and several times that on the way: at most so many values. */
const MOST_EMBEDDING_VALUES = 2 ** 25;

/**
 * @param states [Q, D] normalised hidden states that predict the [SEG]s, in the order of `rows`
 * @param imageEmbeddings [B, H, W, prompt] of F_V2
 * @param images the B images
 * @param rows for every query its image, in [0, B), ascending
 * @param signal heard before every batch of masks
 * @returns one mask per query, its logits finite
 * @throws UserError that names the part of the network at fault where they are not
 */
export async function drawMasks(
  gsva: LlavaSam,
  states: tf.Tensor2D,
  imageEmbeddings: tf.Tensor4D,
  images: readonly EncodedImage[],
  rows: readonly number[],
  signal?: Abortable,
): Promise<MaskLogits[]> {
  const [, height, width, channels] = imageEmbeddings.shape;
  const atOnce = Math.max(1, Math.floor(MOST_EMBEDDING_VALUES / (height * width * channels)));
  const masks: MaskLogits[] = [];
  for (let first = 0; first < rows.length; first += atOnce) {
    await pause(signal);
    const some = rows.slice(first, first + atOnce);
    const compute = (): tf.Tensor3D[] => {
      const part = tf.slice(states, [first, 0], [some.length, -1]);
      const queries = gsva.maskPrompt.forward(part) as tf.Tensor2D;
      const { lowResMasks } = gsva.decodeMasks(queries, imageEmbeddings, some);
      return runs(some).map(([row, begin, end]) => {
        const image = images[row];
        if (image === undefined) throw new Error(`drawMasks: a query asks about image ${row} of ${images.length}`);
        return resizeMasks(
          tf.slice(lowResMasks, [begin, 0, 0], [end - begin, -1, -1]),
          image,
          gsva.config.sam.imageSize,
        );
      });
    };
    const enlarged = tf.tidy(compute);
    const check = (data: Float32Array): Promise<void> =>
      requireFinite(gsva, 'Answering: the logits of a mask', data, () => {
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
