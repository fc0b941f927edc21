/** `--feature-cache` and what belongs to it, for the verbs that encode many images. */
import type { Options } from 'yargs';
import { UsageError } from '../errors.js';
import { finiteNumber, text } from './values.js';

const DEFAULT_GIGABYTES = 100;

export interface FeatureCacheRequest {
  readonly dir: string;
  /** 10⁹ bytes. */
  readonly gigabytes: number;
  readonly dtype: 'f32' | 'bf16';
}

export const FEATURE_CACHE_OPTIONS = {
  'feature-cache': {
    describe:
      'Folder for features of the frozen encoders, kept from run to run; train, eval and processes may share it',
    type: 'string',
    requiresArg: true,
    coerce: text('feature-cache'),
  },
  'feature-cache-gb': {
    describe: 'Largest size of --feature-cache, in GB (default: 100)',
    requiresArg: true,
    coerce: finiteNumber('feature-cache-gb', { min: 0.001, max: 1e6 }),
  },
  'feature-cache-dtype': {
    describe: 'Numbers in --feature-cache: f32 (default) is exact, bf16 takes half the room',
    choices: ['f32', 'bf16'] as const,
    requiresArg: true,
  },
} satisfies Record<string, Options>;

/** @returns null where no cache is asked for */
export function featureCacheOf({
  'feature-cache': dir,
  'feature-cache-gb': gigabytes,
  'feature-cache-dtype': dtype,
}: {
  readonly 'feature-cache': string | undefined;
  readonly 'feature-cache-gb': number | undefined;
  readonly 'feature-cache-dtype': 'f32' | 'bf16' | undefined;
}): FeatureCacheRequest | null {
  if (dir === undefined) {
    if (gigabytes === undefined && dtype === undefined) return null;
    throw new UsageError('--feature-cache-gb and --feature-cache-dtype need --feature-cache DIR');
  }
  return { dir, gigabytes: gigabytes ?? DEFAULT_GIGABYTES, dtype: dtype ?? 'f32' };
}
