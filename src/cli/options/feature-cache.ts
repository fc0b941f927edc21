/** `--feature-cache` and what belongs to it, for the commands that encode many images. */
import { UsageError } from '../../errors.js';
import type { FeatureCacheOptions } from '../../workflows/watch.js';
import { option, type ValuesOf } from './option.js';
import { finiteNumber, oneOf, TEXT } from './values.js';

export const FEATURE_CACHE_OPTIONS = {
  'feature-cache': option(
    'Folder for features of the frozen encoders, kept from run to run; train, eval and processes may share it',
    TEXT,
  ),
  'feature-cache-gb': option('Largest size of --feature-cache, in GB (default: 100)', finiteNumber(0.001, 1e6)),
  'feature-cache-dtype': option(
    'Numbers in --feature-cache: f32 (default) is exact, bf16 takes half the room',
    oneOf(['f32', 'bf16'] as const),
  ),
};

/** @returns undefined where no cache is asked for */
export function featureCacheOf({
  featureCache: dir,
  featureCacheGb: gigabytes,
  featureCacheDtype: dtype,
}: ValuesOf<typeof FEATURE_CACHE_OPTIONS>): FeatureCacheOptions | undefined {
  if (dir !== undefined) return { dir, gigabytes, dtype };
  if (gigabytes === undefined && dtype === undefined) return undefined;
  throw new UsageError('--feature-cache-gb and --feature-cache-dtype need --feature-cache DIR');
}
