/**
 * Features of frozen encoders for training and evaluation, computed once: looked up in memory, then on disk. In
 * whole-epoch order all images are used equally often, so memory keeps the first up to its bound and evicts none.
 * `find` runs ahead, before an image is decoded; `encode` computes what is missing, a batch at a time.
 */
import { UserError } from '../errors.js';
import type { PreparedImage, RgbImage } from '../types.js';
import type { FeatureFiles } from './feature-files.js';
import { type EncodedImage, encodeImages, type EncodingModel, merged } from './image-features.js';

/** Room for the features, in bytes: 2000 images of the tiny model take a tenth of it, 200 of the large ones all. */
export const MOST_FEATURE_BYTES = 2 ** 30;

export interface FoundImage {
  /** null where the file cannot be read, which is left for the decoder to report. */
  readonly key: string | null;
  readonly known: EncodedImage | null;
}

export const NOTHING_FOUND: FoundImage = { key: null, known: null };

export interface ImageToEncode {
  readonly found: FoundImage;
  /** With inputs for the encoders whose features are missing. */
  readonly image: PreparedImage | null;
}

/** Encoders, of those wanted, whose features are not known. */
export function missing({ known }: FoundImage, wanted: ReadonlySet<string>): ReadonlySet<string> {
  return new Set([...wanted].filter((name) => known?.features[name] === undefined));
}

export class FeatureStore {
  private readonly kept = new Map<string, EncodedImage>();
  private bytes = 0;
  /** Ends when the features of the last batch are on disk. */
  private writing: Promise<unknown> = Promise.resolve();
  private readonly asked = new Set<string>();
  /** Lookups that memory answered; other images by their first lookup: all features on disk, or some missing. */
  readonly counts = { inMemory: 0, onDisk: 0, missing: 0 };

  /**
   * @param keyOf an image's key: `imageKey`, where files are at hand; a UserError is an image without one
   * @param mostBytes kept in memory
   * @param files of the same encoders as the models given to `encode`
   */
  constructor(
    private readonly keyOf: (image: string | RgbImage) => Promise<string>,
    private readonly mostBytes = MOST_FEATURE_BYTES,
    readonly files: FeatureFiles | null = null,
  ) {}

  /** @param image path of a file, or a decoded picture @param wanted encoders whose features to look for */
  async find(image: string | RgbImage, wanted: ReadonlySet<string>): Promise<FoundImage> {
    const key = await this.keyOf(image).catch((error: unknown) => {
      if (error instanceof UserError) return null;
      throw error;
    });
    // An object of its own: `encode` tells images without a key apart by it.
    if (key === null) return { ...NOTHING_FOUND };
    let found: FoundImage = { key, known: this.kept.get(key) ?? null };
    const unknown = missing(found, wanted);
    if (unknown.size === 0) {
      this.counts.inMemory++;
      return found;
    }
    if (this.files !== null) found = { key, known: merged(found.known, await this.files.get(key, unknown)) };
    if (!this.asked.has(key)) this.counts[missing(found, wanted).size === 0 ? 'onDisk' : 'missing']++;
    this.asked.add(key);
    return found;
  }

  /** Features of each image in order, known or computed. @param model with the encoders of this store */
  async encode(model: EncodingModel, batch: readonly ImageToEncode[]): Promise<EncodedImage[]> {
    // Rows about the same image are one; an image without a key is its own.
    const known = new Map<unknown, EncodedImage | null>();
    const prepared = new Map<unknown, PreparedImage>();
    for (const { found, image } of batch) {
      const id = found.key ?? found;
      const kept = found.key === null ? null : (this.kept.get(found.key) ?? null);
      known.set(id, merged(merged(known.get(id) ?? null, kept), found.known));
      if (image !== null) prepared.set(id, { ...image, inputs: { ...prepared.get(id)?.inputs, ...image.inputs } });
    }
    const fresh = [...prepared].flatMap(([id, image]) => {
      const features = known.get(id)?.features ?? {};
      const inputs = Object.entries(image.inputs).filter(([name]) => features[name] === undefined);
      return inputs.length === 0 ? [] : [{ id, image: { ...image, inputs: Object.fromEntries(inputs) } }];
    });
    const encoded = await encodeImages(
      model,
      fresh.map(({ image }) => image),
    );
    // As they will come back from disk, so that a run is the same whether its images are known or not.
    const asKept = encoded.map((image) => this.files?.asKept(image) ?? image);
    for (const [i, { id }] of fresh.entries()) known.set(id, merged(known.get(id) ?? null, asKept[i] ?? null));
    const all = batch.map(({ found }) => {
      const image = known.get(found.key ?? found) ?? null;
      if (image === null) throw new Error('FeatureStore: an image is neither known nor prepared');
      if (found.key !== null) this.keep(found.key, image);
      return image;
    });
    await this.write(fresh.flatMap(({ id }, i) => (typeof id === 'string' ? [[id, asKept[i] as EncodedImage]] : [])));
    return all;
  }

  /** `find` and `encode` for decoded pictures. */
  async encodePictures(
    model: EncodingModel,
    pictures: readonly RgbImage[],
    prepare: (picture: RgbImage, encoders: ReadonlySet<string>) => PreparedImage,
  ): Promise<EncodedImage[]> {
    const wanted = new Set(Object.keys(model.encoders));
    const found = await Promise.all(pictures.map((picture) => this.find(picture, wanted)));
    const batch = pictures.map((picture, i) => {
      const one = found[i] as FoundImage;
      const unknown = missing(one, wanted);
      return { found: one, image: unknown.size === 0 ? null : prepare(picture, unknown) };
    });
    return this.encode(model, batch);
  }

  /** Waits until everything that goes to disk is there. */
  async flush(): Promise<void> {
    await this.writing;
  }

  /** One batch at a time is on its way to disk, so that a slow disk does not fill the memory. */
  private async write(fresh: readonly (readonly [key: string, image: EncodedImage])[]): Promise<void> {
    const { files } = this;
    if (files === null || fresh.length === 0) return;
    await this.writing;
    this.writing = Promise.all(fresh.map(([key, image]) => files.put(key, image)));
  }

  private keep(key: string, image: EncodedImage): void {
    const more = bytesOf(image) - bytesOf(this.kept.get(key));
    if (more <= 0 || this.bytes + more > this.mostBytes) return;
    this.kept.set(key, image);
    this.bytes += more;
  }
}

function bytesOf(image: EncodedImage | undefined): number {
  return Object.values(image?.features ?? {}).reduce((sum, { byteLength }) => sum + byteLength, 0);
}
