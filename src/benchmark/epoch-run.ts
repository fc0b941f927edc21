/**
 * Gain of the feature cache: whole epochs over photographs, with the real loading, encoding and training steps. In
 * the first epoch every image is decoded, prepared and encoded; in those after it its features are read. What the images
 * show and what is said of them does not matter for speed: the conversations are those of the random workload.
 */
import { join } from 'node:path';
import { allEncoders } from '../data/image/prepare-image.js';
import type { SampleLoader } from '../data/sampling/sample-loader.js';
import { encoderDigests, FeatureFiles } from '../features/feature-files.js';
import { FeatureStore, type ImageToEncode, missing, NOTHING_FOUND } from '../features/feature-store.js';
import { imageKey } from '../features/image-key.js';
import { Prefetcher } from '../training/loop/sample-queue.js';
import type { BenchParts } from './bench-parts.js';
import { loaderOf, withSyntheticSet } from './sample-loading.js';
import { type Runs, summary } from './timing.js';

/** Where features are kept from epoch to epoch, and whether LLaMA's layers are run twice. */
export const EPOCH_KINDS = [
  { name: 'in memory', dtype: null, recompute: true },
  { name: 'on disk, f32', dtype: 'F32', recompute: true },
  { name: 'on disk, bf16', dtype: 'BF16', recompute: true },
  { name: 'on disk, bf16, nothing recomputed', dtype: 'BF16', recompute: false },
] as const;

type EpochKind = (typeof EPOCH_KINDS)[number];

export interface EpochSettings {
  /** Images of an epoch. */
  readonly images: number;
  /** In a step. */
  readonly batch: number;
  /** First epochs, each with an empty cache. */
  readonly rounds: number;
  /** Epochs after each first one. */
  readonly later: number;
  /** Threads that load; 0: this one. */
  readonly workers: number;
}

export interface EpochResult {
  readonly name: string;
  /** Seconds of each epoch. */
  readonly first: readonly number[];
  readonly later: readonly number[];
  /** Bytes that were written to disk for an image. */
  readonly bytesPerImage: number;
}

/** Few, compared with the images of an epoch: what is loaded ahead into the second epoch may be of images not encoded yet. */
const AHEAD = 4;

/** @param onEpoch called before each epoch with the number done */
export async function measureEpochs(
  bench: BenchParts,
  settings: EpochSettings,
  onEpoch: (done: number, name: string) => void = () => undefined,
): Promise<EpochResult[]> {
  return withSyntheticSet(settings.images, async (set, folder) => {
    const { system, network } = bench;
    const pictures = system.pictures(network.config);
    const encoders = await encoderDigests(network);
    const results: EpochResult[] = [];
    let done = 0;
    for (const kind of EPOCH_KINDS) {
      const seconds: { first: number[]; later: number[] } = { first: [], later: [] };
      let bytesWritten = 0;
      for (let round = 0; round < settings.rounds; round++) {
        const dir = join(folder, `${kind.name} ${round}`);
        const { dtype } = kind;
        const cache = dtype === null ? null : await FeatureFiles.open(dir, { maxBytes: 2 ** 34, dtype, encoders });
        // With a cache on disk nothing is kept in memory here, as with more images than have room there.
        const features = new FeatureStore(imageKey, cache === null ? undefined : 0, cache);
        const loader = loaderOf(set, pictures, settings.workers);
        const samples = samplesOf(loader, allEncoders(pictures), features, settings.images * (1 + settings.later));
        try {
          for (let epoch = 0; epoch <= settings.later; epoch++) {
            onEpoch(done++, kind.name);
            const time = await epochSeconds(bench, samples, features, settings, kind);
            (epoch === 0 ? seconds.first : seconds.later).push(time);
          }
        } finally {
          await samples.close();
          await loader.close();
          await features.flush();
        }
        bytesWritten = cache?.stats.bytesWritten ?? 0;
      }
      results.push({ name: kind.name, ...seconds, bytesPerImage: bytesWritten / settings.images });
    }
    return results;
  });
}

function samplesOf(loader: SampleLoader, encoders: ReadonlySet<string>, features: FeatureStore, count: number) {
  const at = async (position: number): Promise<ImageToEncode> => {
    let found = NOTHING_FOUND;
    const sample = await loader.load(position, async (image) => {
      found = await features.find(image.path, encoders);
      return missing(found, encoders);
    });
    if (sample === null) throw new Error(`measureEpochs: no sample at ${position}`);
    return { image: sample.image, found };
  };
  return new Prefetcher(at, 0, count, AHEAD, () => undefined);
}

async function epochSeconds(
  bench: BenchParts,
  samples: Prefetcher<ImageToEncode>,
  features: FeatureStore,
  { images, batch }: EpochSettings,
  { recompute }: EpochKind,
): Promise<number> {
  const start = performance.now();
  for (let first = 0; first < images; first += batch) {
    const rows: ImageToEncode[] = [];
    while (rows.length < batch) rows.push(await samples.next());
    await bench.stepOn(await features.encode(bench.network, rows), recompute);
  }
  // What the first epoch owes to the disk is its own.
  await features.flush();
  return (performance.now() - start) / 1000;
}

/** `epochs, features in memory: first 11.90 s (11.70 – 12.00), later 7.90 s (7.80 – 8.10), 1.51× as fast` */
export function describeEpochs({ name, first, later, bytesPerImage }: EpochResult): string {
  const [before, behind] = [summary(first), summary(later)];
  const text = ({ median, min, max }: Runs): string => `${median.toFixed(2)} s (${min.toFixed(2)} – ${max.toFixed(2)})`;
  const disk = bytesPerImage === 0 ? '' : `, ${(bytesPerImage / 2 ** 20).toFixed(2)} MiB an image`;
  const gain = before.median / behind.median;
  return `epochs, features ${name}: first ${text(before)}, later ${text(behind)}, ${gain.toFixed(2)}× as fast${disk}`;
}
