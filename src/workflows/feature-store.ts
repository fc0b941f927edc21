/** Features of the frozen encoders, kept on disk from run to run. */
import { UserError } from '../errors.js';
import { bytesText } from '../machine.js';
import type { LlavaSam } from '../systems/shared/llava-sam.js';
import type { Experiment } from '../training/config/build-experiment.js';
import { encoderDigests } from '../features/encoder-digest.js';
import { FeatureCache } from '../features/feature-cache.js';
import { KeptFeatures } from '../features/kept-features.js';
import type { Watch } from './watch.js';

/** A folder that keeps features of images from run to run; processes may share it. */
export interface FeatureCacheOptions {
  readonly dir: string;
  /** Its largest size, 10⁹ bytes; default 100. */
  readonly gigabytes?: number;
  /** f32 (default) is exact, bf16 takes half the room. */
  readonly dtype?: 'f32' | 'bf16';
}

export interface OpenCache {
  readonly cache: FeatureCache;
  /** Notes how much was read and written. */
  readonly report: () => void;
}

/** @throws UserError where the folder cannot be used, or the stage trains the encoders */
export async function openFeatures(
  request: FeatureCacheOptions,
  { config, gsva }: Experiment,
  watch: Watch,
): Promise<{ readonly features: KeptFeatures; readonly report: () => void }> {
  if (config.stage !== 'gsva') {
    throw new UserError(
      `--feature-cache keeps features of frozen encoders, but the stage ${config.stage} trains them or draws its images; ` +
        'leave the option out.',
    );
  }
  const { cache, report } = await openCache(request, gsva, watch);
  return { features: new KeptFeatures(undefined, cache), report };
}

/** @throws UserError where the folder cannot be used */
export async function openCache(
  { dir, gigabytes = 100, dtype = 'f32' }: FeatureCacheOptions,
  gsva: LlavaSam,
  watch: Watch,
): Promise<OpenCache> {
  const cache = await FeatureCache.open(dir, {
    maxBytes: 1e9 * gigabytes,
    dtype: dtype === 'f32' ? 'F32' : 'BF16',
    encoders: await encoderDigests(gsva),
    onTrouble: (message) => {
      watch.onNote?.(message);
    },
  });
  return {
    cache,
    report: (): void => {
      const { hits, misses, written, damaged, refused, failures, bytesRead, bytesWritten } = cache.stats;
      const wrong = [
        [damaged, 'damaged'],
        [refused, 'without room'],
        [failures, 'failed'],
      ] as const;
      const faults = wrong.flatMap(([count, what]) => (count === 0 ? [] : [`, ${count} ${what}`]));
      watch.onNote?.(
        `feature cache ${dir}: ${hits} of ${hits + misses} entries found (${bytesText(bytesRead)}), ` +
          `${written} written (${bytesText(bytesWritten)})${faults.join('')}`,
      );
    },
  };
}
