/** `--feature-cache`: what the frozen encoders say of images, kept on disk from run to run. */
import { UserError } from '../errors.js';
import { bytesText } from '../machine.js';
import type { LlavaSam } from '../systems/shared/llava-sam.js';
import type { Experiment } from '../training/config/build-experiment.js';
import { encoderDigests } from '../features/encoder-digest.js';
import { FeatureCache } from '../features/feature-cache.js';
import { KeptFeatures } from '../features/kept-features.js';
import type { FeatureCacheRequest } from './feature-cache-options.js';
import type { VerbContext } from './verb.js';

export interface OpenCache {
  readonly cache: FeatureCache;
  /** Says what was read and written. */
  readonly report: () => void;
}

/** @throws UserError where the folder cannot be used, or the stage trains the encoders */
export async function openFeatures(
  request: FeatureCacheRequest,
  { config, gsva }: Experiment,
  context: VerbContext,
): Promise<{ readonly features: KeptFeatures; readonly report: () => void }> {
  if (config.stage !== 'gsva') {
    throw new UserError(
      `--feature-cache keeps what frozen encoders say, but the stage ${config.stage} trains them or draws its images; ` +
        'leave the option out.',
    );
  }
  const { cache, report } = await openCache(request, gsva, context);
  return { features: new KeptFeatures(undefined, cache), report };
}

/** @throws UserError where the folder cannot be used */
export async function openCache(
  { dir, gigabytes, dtype }: FeatureCacheRequest,
  gsva: LlavaSam,
  context: VerbContext,
): Promise<OpenCache> {
  const cache = await FeatureCache.open(dir, {
    maxBytes: 1e9 * gigabytes,
    dtype: dtype === 'f32' ? 'F32' : 'BF16',
    encoders: await encoderDigests(gsva),
    onTrouble: (message) => {
      context.note(message);
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
      const told = wrong.flatMap(([count, what]) => (count === 0 ? [] : [`, ${count} ${what}`]));
      context.note(
        `feature cache ${dir}: ${hits} of ${hits + misses} entries found (${bytesText(bytesRead)}), ` +
          `${written} written (${bytesText(bytesWritten)})${told.join('')}`,
      );
    },
  };
}
