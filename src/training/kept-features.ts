/**
 * What the frozen encoders say of the images of a run: computed once and kept as far as there is room. In whole epochs
 * every image comes equally often, so the first ones are as good to keep as any.
 */
import type { Gsva } from '../model/gsva.js';
import { type EncodedImage, encodeImages } from '../model/image-features.js';
import type { PreparedImage } from '../types.js';

/** Room for the features, in bytes: 2000 images of the tiny model take a tenth of it, 200 of the large ones all. */
export const MOST_FEATURE_BYTES = 2 ** 30;

export interface ImageOfSample {
  /** Which image it is. */
  readonly key: string;
  /** null where `has` said that it is not needed. */
  readonly image: PreparedImage | null;
}

export class KeptFeatures {
  private readonly kept = new Map<string, EncodedImage>();
  private bytes = 0;

  constructor(private readonly mostBytes = MOST_FEATURE_BYTES) {}

  /** Whether the image need not be loaded again, from now on for good. */
  has(key: string): boolean {
    return this.kept.has(key);
  }

  /**
   * The features of each, in order.
   * @param gsva of always the same encoders
   */
  async of(gsva: Gsva, batch: readonly ImageOfSample[]): Promise<EncodedImage[]> {
    const fresh = new Map<string, PreparedImage>();
    for (const { key, image } of batch) if (image !== null && !this.kept.has(key)) fresh.set(key, image);
    const encoded = fresh.size === 0 ? [] : await encodeImages(gsva, [...fresh.values()]);
    const now = new Map([...fresh.keys()].map((key, i) => [key, encoded[i] as EncodedImage]));
    for (const [key, features] of now) this.keep(key, features);
    return batch.map(({ key }) => {
      const features = this.kept.get(key) ?? now.get(key);
      if (features === undefined) throw new Error(`KeptFeatures: image ${key} is not encoded`);
      return features;
    });
  }

  private keep(key: string, features: EncodedImage): void {
    const bytes = features.clipFeatures.byteLength + features.imageEmbedding.byteLength;
    if (this.bytes + bytes > this.mostBytes) return;
    this.kept.set(key, features);
    this.bytes += bytes;
  }
}
