/**
 * From hidden states to masks without a mask decoder: the picture's features at the encoder's resolution are refilled
 * with what the language model adds to them (RFR), amplified (RFA), and multiplied with the state of each [SEG].
 *
 *   pixels = _proj( unshuffle f(HQ) + double( unshuffle( f′(I) − f(V1) ) ) )     [4·h, 4·w, d]
 *   query  = _proj( mean of the four of f′(S) )                                  [n, d]
 *   logits = query · pixels / √d
 *
 * V1 are the picture's h × w tokens before the language model, I their states behind it, HQ the features at twice that
 * resolution. The variants of the supplement's Table 11 leave steps out: without HQ, the states alone make the pixels;
 * without RFA, HQ + double(I − V1) takes the place of the sum, and no step widens. The paper does not spell these out;
 * they are our reading of it.
 */
import * as fused from '../../engine/fused-ops.js';
import * as tf from '../../engine/tf.js';
import { doubleBilinear } from '../../nn/bilinear.js';
import { ConfiguredLayer, type Shape } from '../../nn/composite-layer.js';
import { Linear } from '../../nn/layers.js';
import { pixelUnshuffle, SHUFFLE } from '../../nn/pixel-shuffle.js';
import type { Self1eConfig } from './config.js';

const BLOCK = SHUFFLE * SHUFFLE;

/** Sees an intermediate result by name and may replace it: for comparisons with recordings. */
export type Tap = <T extends tf.Tensor>(name: string, x: T) => T;
const noTap: Tap = (_, x) => x;

interface ProjectionSizes {
  readonly size: number;
  readonly outputSize: number;
  /** Standard deviation of the start values. */
  readonly deviation: number;
}

/** Linear, exact GELU, Linear. */
export class FeatureProjection extends ConfiguredLayer<ProjectionSizes> {
  static readonly className = 'GsvaFeatureProjection';
  private readonly first = this.track('0', linear(this.config.size, this.config));
  private readonly second = this.track('2', linear(this.config.outputSize, this.config));

  constructor(config: ProjectionSizes) {
    super(config, config.outputSize);
  }

  /** x [..., size] → [..., outputSize]. */
  forward(x: tf.Tensor): tf.Tensor {
    return this.second.forward(fused.gelu(this.first.forward(x)));
  }

  /** Products of queries [n, outputSize] with the outputs of x [m, size], which are not computed → [n, m]. */
  products(queries: tf.Tensor2D, x: tf.Tensor2D): tf.Tensor2D {
    return this.second.products(queries, fused.gelu(this.first.forward(x)) as tf.Tensor2D);
  }
}
tf.serialization.registerClass(FeatureProjection);

function linear(outputSize: number, { size, deviation }: ProjectionSizes): Linear {
  return new Linear({ inputSize: size, outputSize, deviation });
}

/** Features of one picture, its tiles put together. */
export interface PictureFeatures {
  /** V1 and I [h, w, d]. */
  readonly tokens: tf.Tensor3D;
  readonly states: tf.Tensor3D;
  /** HQ [2·h, 2·w, d]; null in the variant without. */
  readonly fine: tf.Tensor3D | null;
}

type RefillSizes = Pick<Self1eConfig, 'llm' | 'refill'>;

export class Refill extends ConfiguredLayer<RefillSizes> {
  static readonly className = 'GsvaRefill';
  private readonly size = this.config.llm.hiddenSize;
  private readonly amplifier = this.config.refill.amplifier;
  private readonly toPixels: FeatureProjection;
  /** f and f′. */
  private readonly ofFeatures: FeatureProjection;
  private readonly ofStates: FeatureProjection;

  constructor({ llm, refill }: RefillSizes) {
    super({ llm, refill });
    const { size } = this;
    const { deviation } = refill;
    const wide = { size, outputSize: BLOCK * size, deviation };
    this.toPixels = this.track('combine_decode_proj', new FeatureProjection({ size, outputSize: size, deviation }));
    this.ofFeatures = this.track('combine_decode_proj_ori', new FeatureProjection(wide));
    this.ofStates = this.track('combine_decode_proj_all', new FeatureProjection(wide));
  }

  /** Logits [n, 4·h, 4·w] of the masks of states S [n, d]; without RFA or HQ at half of that or less. */
  forward(picture: PictureFeatures, states: tf.Tensor2D): tf.Tensor3D {
    return this.masks(picture, states).high;
  }

  /** [V1, I, HQ, S] → logits; typed: `masks`. */
  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => {
      const [tokens, states, fine, decisions] = inputs as [tf.Tensor3D, tf.Tensor3D, tf.Tensor3D, tf.Tensor2D];
      return this.forward({ tokens, states, fine }, decisions);
    });
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    const [, , [height = null, width = null] = [], [count = null] = []] = inputShape as Shape[];
    const scale = this.amplifier ? SHUFFLE : 1;
    return [count, height === null ? null : scale * height, width === null ? null : scale * width];
  }

  /** S [n, d] → queries [n, d]. */
  queries(states: tf.Tensor2D, tap: Tap = noTap): tf.Tensor2D {
    if (!this.amplifier) return tap('query', this.toPixels.forward(states) as tf.Tensor2D);
    const wide = tap('f_all_s', this.ofStates.forward(states));
    const four = tap('s_unshuffled', tf.reshape(wide, [-1, BLOCK, this.size]));
    const mean = tap('s_mean', tf.mean(four, 1));
    return tap('query', this.toPixels.forward(mean) as tf.Tensor2D);
  }

  /** Logits of masks at the resolution of the pixels and, for training, at that of the states. */
  masks(picture: PictureFeatures, states: tf.Tensor2D, tap: Tap = noTap) {
    const queries = this.queries(states, tap);
    const coarse = this.amplifier ? tap('f_all_i', this.ofStates.forward(picture.states)) : picture.states;
    const low = this.amplifier ? tap('low_features', this.unshuffled(coarse)) : picture.states;
    const refilled = this.refilled(picture, coarse, low, tap);
    const high =
      tap === noTap
        ? this.products(refilled, queries)
        : this.logits(tap('pixel_features', this.toPixels.forward(refilled) as tf.Tensor3D), queries);
    return { high: tap('logits_high', high), low: () => tap('logits_low', this.logits(low, queries)) };
  }

  /** Logits of the pixels by the second layer's products with the queries: a few rows instead of one for every pixel. */
  private products(refilled: tf.Tensor3D, queries: tf.Tensor2D): tf.Tensor3D {
    const [height, width] = refilled.shape;
    const flat: tf.Tensor2D = tf.reshape(refilled, [height * width, this.size]);
    const scaled: tf.Tensor2D = tf.mul(queries, 1 / Math.sqrt(this.size));
    return tf.reshape(this.toPixels.products(scaled, flat), [-1, height, width]);
  }

  /** @param coarse f′(I), or I without RFA @param low the same unshuffled */
  private refilled({ tokens, fine }: PictureFeatures, coarse: tf.Tensor, low: tf.Tensor3D, tap: Tap): tf.Tensor3D {
    if (fine === null) return low;
    if (!this.amplifier) return tf.add(fine, doubleBilinear(tf.sub(coarse, tokens)));
    const before = tap('f_ori_v1', this.ofFeatures.forward(tokens));
    const added = tap('rfa_low', this.unshuffled(tf.sub(coarse, before)));
    const refill = tap('rfa_high', doubleBilinear(added));
    const widened = tap('f_ori_hq', this.ofFeatures.forward(fine));
    return tap('refilled', tf.add(tap('hq_high', this.unshuffled(widened)), refill));
  }

  /** [h, w, 4·d] → [2·h, 2·w, d] */
  private unshuffled(x: tf.Tensor): tf.Tensor3D {
    return tf.squeeze(pixelUnshuffle(tf.expandDims(x, 0)), [0]);
  }

  /** pixels [h, w, d], queries [n, d] → [n, h, w] */
  private logits(pixels: tf.Tensor3D, queries: tf.Tensor2D): tf.Tensor3D {
    const [height, width] = pixels.shape;
    const flat: tf.Tensor2D = tf.reshape(pixels, [height * width, this.size]);
    const scaled: tf.Tensor2D = tf.mul(queries, 1 / Math.sqrt(this.size));
    return tf.reshape(tf.matMul(scaled, flat, false, true), [-1, height, width]);
  }
}
tf.serialization.registerClass(Refill);
