/**
 * What the frozen encoders say of the images of a run: computed once, and kept in memory as far as there is room and on
 * disk where there is a cache. In whole epochs every image comes equally often, so the first ones are as good to keep in
 * memory as any.
 *
 * Before a sample is loaded, `find` says what is known of its image, so that the image need not be decoded and prepared;
 * it reads from disk, several samples ahead of the step. Then `of` computes what is missing, a batch at a time.
 */
import type { EncoderNeeds, PartlyPreparedImage } from '../data/image/prepare-image.js';
import type { ImageToLoad } from '../data/sampling/sample-loader.js';
import { UserError } from '../errors.js';
import type { LlavaSam } from '../systems/shared/llava-sam.js';
import { encodeForClip, encodeForSam, type ImageFeatures } from './image-features.js';
import { type FeatureCache, imageDigest } from './feature-cache.js';

/** Room for the features, in bytes: 2000 images of the tiny model take a tenth of it, 200 of the large ones all. */
export const MOST_FEATURE_BYTES = 2 ** 30;

/** What was known of an image when its sample was loaded. */
export interface FoundFeatures {
  readonly features: ImageFeatures | null;
  /** Of the image's file; null where nothing is to be written to disk. */
  readonly digest: string | null;
}

export const NOTHING_FOUND: FoundFeatures = { features: null, digest: null };

/** Which encoders have yet to see the image. */
export function needsOf({ features }: FoundFeatures): EncoderNeeds {
  return { clip: features === null, sam: (features?.imageEmbedding ?? null) === null };
}

export interface ImageOfSample {
  /** Which image it is. */
  readonly key: string;
  readonly found: FoundFeatures;
  /** For the encoders that are still to see it. */
  readonly image: PartlyPreparedImage | null;
}

export class KeptFeatures {
  private readonly kept = new Map<string, ImageFeatures>();
  private bytes = 0;
  /** Ends when what the last batch had for the cache is on disk. */
  private writing: Promise<unknown> = Promise.resolve();

  /**
   * @param mostBytes that are kept in memory
   * @param cache of the same encoders as the models that `of` is given
   */
  constructor(
    private readonly mostBytes = MOST_FEATURE_BYTES,
    private readonly cache: FeatureCache | null = null,
  ) {}

  /** What is known of an image; a file that cannot be read is left for the loading to report. */
  async find({ key, path, kind }: ImageToLoad): Promise<FoundFeatures> {
    const features = this.kept.get(key) ?? null;
    const withMasks = kind !== 'vqa';
    if (this.cache === null || (features !== null && (!withMasks || features.imageEmbedding !== null))) {
      return { features, digest: null };
    }
    try {
      const digest = await imageDigest(path);
      return { features: (await this.cache.get(digest, withMasks)) ?? features, digest };
    } catch (error) {
      if (error instanceof UserError) return { features, digest: null };
      throw error;
    }
  }

  /**
   * The features of each, in order: F_V2's where it is known or the image was prepared for it.
   * @param gsva of always the same encoders
   */
  async of(gsva: LlavaSam, batch: readonly ImageOfSample[]): Promise<ImageFeatures[]> {
    const images = new Map<string, ImageOfSample>();
    for (const row of batch) {
      const kept = { key: row.key, found: { features: this.kept.get(row.key) ?? null, digest: null }, image: null };
      images.set(row.key, merged(images.get(row.key) ?? kept, row));
    }
    const clip = await this.encode(encodeForClip, gsva, missing([...images.values()], 'clipFeatures', 'clipInput'));
    const sam = await this.encode(encodeForSam, gsva, missing([...images.values()], 'imageEmbedding', 'samInput'));
    const all = new Map<string, ImageFeatures>();
    for (const [key, { found, image }] of images) {
      const known = found.features;
      const clipFeatures = known?.clipFeatures ?? clip.get(key);
      const sizes = known ?? image;
      if (clipFeatures === undefined || sizes === null) throw new Error(`KeptFeatures: image ${key} is not encoded`);
      const imageEmbedding = known?.imageEmbedding ?? sam.get(key) ?? null;
      const { resized, original } = sizes;
      all.set(key, { clipFeatures, imageEmbedding, resized, original });
    }
    for (const [key, features] of all) this.keep(key, features);
    await this.write(
      [...images].flatMap(([key, { found }]) => {
        const which = { clip: clip.has(key), sam: sam.has(key) };
        const { digest } = found;
        const isFresh = digest !== null && (which.clip || which.sam);
        return isFresh ? [{ digest, which, features: all.get(key) as ImageFeatures }] : [];
      }),
    );
    return batch.map(({ key }) => all.get(key) as ImageFeatures);
  }

  /** Waits until everything that goes to disk is there. */
  async flush(): Promise<void> {
    await this.writing;
  }

  /** As they will come back from the cache, so that a run is the same whether its images are cached or not. */
  private async encode(
    encoder: typeof encodeForClip,
    gsva: LlavaSam,
    inputs: ReadonlyMap<string, Float32Array>,
  ): Promise<Map<string, Float32Array>> {
    const features = await encoder(gsva, [...inputs.values()]);
    const asKept = features.map((numbers) => this.cache?.asKept(numbers) ?? numbers);
    return new Map([...inputs.keys()].map((key, index) => [key, asKept[index] as Float32Array]));
  }

  /** One batch at a time is on its way to disk, so that a slow disk does not fill the memory. */
  private async write(
    fresh: readonly { readonly digest: string; readonly which: EncoderNeeds; readonly features: ImageFeatures }[],
  ): Promise<void> {
    const { cache } = this;
    if (cache === null || fresh.length === 0) return;
    await this.writing;
    this.writing = Promise.all(fresh.map(({ digest, features, which }) => cache.put(digest, features, which)));
  }

  private keep(key: string, features: ImageFeatures): void {
    const bytesOf = (image: ImageFeatures | undefined): number =>
      (image?.clipFeatures.byteLength ?? 0) + (image?.imageEmbedding?.byteLength ?? 0);
    const more = bytesOf(features) - bytesOf(this.kept.get(key));
    if (more <= 0 || this.bytes + more > this.mostBytes) return;
    this.kept.set(key, features);
    this.bytes += more;
  }
}

/** What two samples of an image have of it. */
function merged(a: ImageOfSample, b: ImageOfSample): ImageOfSample {
  const features = (a.found.features?.imageEmbedding ?? null) !== null ? a.found.features : b.found.features;
  const image =
    a.image === null || b.image === null
      ? (a.image ?? b.image)
      : {
          ...a.image,
          clipInput: a.image.clipInput ?? b.image.clipInput,
          samInput: a.image.samInput ?? b.image.samInput,
        };
  const found = { features: features ?? a.found.features, digest: a.found.digest ?? b.found.digest };
  return { key: a.key, found, image };
}

/** An encoder's inputs, by image, where its features are not known. */
function missing(
  images: readonly ImageOfSample[],
  features: 'clipFeatures' | 'imageEmbedding',
  input: 'clipInput' | 'samInput',
): Map<string, Float32Array> {
  return new Map(
    images.flatMap(({ key, found, image }): [string, Float32Array][] => {
      const numbers = image?.[input] ?? null;
      const isKnown = (found.features?.[features] ?? null) !== null;
      return isKnown || numbers === null ? [] : [[key, numbers]];
    }),
  );
}
