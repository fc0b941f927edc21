/**
 * Features of the frozen encoders for the images of a run: computed once, kept in memory up to `mostBytes`, and on disk
 * where a cache is given. In whole-epoch order all images are used equally often, so no eviction policy is needed.
 *
 * Before a sample is loaded, `find` looks up its image, so that a known one need not be decoded and prepared; it reads
 * from disk, several samples ahead of the step. Then `of` computes what is missing, a batch at a time.
 */
import type { ImageToLoad } from '../data/sampling/sample-loader.js';
import { UserError } from '../errors.js';
import type { PreparedImage } from '../types.js';
import { type EncodedImage, encodeImages, type EncodingModel } from './image-features.js';
import { type FeatureCache, imageDigest } from './feature-cache.js';

/** Room for the features, in bytes: 2000 images of the tiny model take a tenth of it, 200 of the large ones all. */
export const MOST_FEATURE_BYTES = 2 ** 30;

/** Known features of an image when its sample was loaded. */
export interface FoundFeatures {
  readonly features: EncodedImage | null;
  /** Of the image's file; null where nothing is to be written to disk. */
  readonly digest: string | null;
}

export const NOTHING_FOUND: FoundFeatures = { features: null, digest: null };

/** Encoders, of those named, whose features are not known yet. */
export function needsOf({ features }: FoundFeatures, which: ReadonlySet<string>): ReadonlySet<string> {
  return new Set([...which].filter((name) => features?.features[name] === undefined));
}

export interface ImageOfSample {
  /** Which image it is. */
  readonly key: string;
  readonly found: FoundFeatures;
  /** For the encoders whose features are not known. */
  readonly image: PreparedImage | null;
}

export class KeptFeatures {
  private readonly kept = new Map<string, EncodedImage>();
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

  /**
   * The known features of an image; a file that cannot be read is left for the loading to report.
   * @param which encoders' features to look for
   */
  async find({ key, path }: ImageToLoad, which: ReadonlySet<string>): Promise<FoundFeatures> {
    const features = this.kept.get(key) ?? null;
    const missing = needsOf({ features, digest: null }, which);
    if (this.cache === null || missing.size === 0) return { features, digest: null };
    try {
      const digest = await imageDigest(path);
      return { features: merged(features, await this.cache.get(digest, missing)), digest };
    } catch (error) {
      if (error instanceof UserError) return { features, digest: null };
      throw error;
    }
  }

  /**
   * The features of each, in order: by the encoders of which they are known or for which the image was prepared.
   * @param model of always the same encoders
   */
  async of(model: EncodingModel, batch: readonly ImageOfSample[]): Promise<EncodedImage[]> {
    const known = new Map<string, EncodedImage | null>();
    const prepared = new Map<string, PreparedImage>();
    const digests = new Map<string, string>();
    for (const { key, found, image } of batch) {
      known.set(key, merged(known.get(key) ?? this.kept.get(key) ?? null, found.features));
      if (found.digest !== null) digests.set(key, found.digest);
      const other = prepared.get(key);
      if (image !== null) prepared.set(key, { ...image, inputs: { ...other?.inputs, ...image.inputs } });
    }
    const missing = [...prepared].map(([key, image]): [string, PreparedImage] => {
      const features = known.get(key)?.features ?? {};
      return [key, { ...image, inputs: without(image.inputs, Object.keys(features)) }];
    });
    const encoded = await encodeImages(
      model,
      missing.map(([, image]) => image),
    );
    const fresh = missing.flatMap(([key], i): [string, EncodedImage][] => {
      const image = encoded[i] as EncodedImage;
      return Object.keys(image.features).length === 0 ? [] : [[key, this.asKept(image)]];
    });
    for (const [key, image] of fresh) known.set(key, merged(known.get(key) ?? null, image));
    const all = batch.map(({ key }) => {
      const image = known.get(key) ?? null;
      if (image === null) throw new Error(`KeptFeatures: image ${key} is not encoded`);
      this.keep(key, image);
      return image;
    });
    await this.write(
      fresh.flatMap(([key, image]) => {
        const digest = digests.get(key);
        return digest === undefined ? [] : [[digest, image]];
      }),
    );
    return all;
  }

  /** Waits until everything that goes to disk is there. */
  async flush(): Promise<void> {
    await this.writing;
  }

  /** As it will come back from the cache, so that a run is the same whether its images are cached or not. */
  private asKept(image: EncodedImage): EncodedImage {
    const { cache } = this;
    if (cache === null) return image;
    const features = Object.entries(image.features).map(([name, numbers]) => [name, cache.asKept(numbers)]);
    return { ...image, features: Object.fromEntries(features) as EncodedImage['features'] };
  }

  /** One batch at a time is on its way to disk, so that a slow disk does not fill the memory. */
  private async write(fresh: readonly (readonly [digest: string, image: EncodedImage])[]): Promise<void> {
    const { cache } = this;
    if (cache === null || fresh.length === 0) return;
    await this.writing;
    this.writing = Promise.all(
      fresh.map(([digest, image]) => cache.put(digest, image, new Set(Object.keys(image.features)))),
    );
  }

  private keep(key: string, image: EncodedImage): void {
    const more = bytesOf(image) - bytesOf(this.kept.get(key) ?? null);
    if (more <= 0 || this.bytes + more > this.mostBytes) return;
    this.kept.set(key, image);
    this.bytes += more;
  }
}

function bytesOf(image: EncodedImage | null): number {
  return Object.values(image?.features ?? {}).reduce((sum, { byteLength }) => sum + byteLength, 0);
}

/** Features of an image from two places. */
function merged(a: EncodedImage | null, b: EncodedImage | null): EncodedImage | null {
  if (a === null || b === null) return a ?? b;
  return { ...a, features: { ...a.features, ...b.features } };
}

function without(arrays: PreparedImage['inputs'], names: readonly string[]): PreparedImage['inputs'] {
  return Object.fromEntries(Object.entries(arrays).filter(([name]) => !names.includes(name)));
}
