/** Options that every command takes, and those that several share. */
import type { EngineName } from '../../engine/engine.js';
import type { Precision } from '../../checkpoints/precision.js';
import type { FrozenWeights } from '../../training/config/frozen-weights.js';
import { UsageError } from '../../errors.js';
import type { FeatureCacheOptions } from '../../workflows/watch.js';
import { flag, option, type ValuesOf, withDefault } from './option.js';
import { finiteNumber, oneOf, TEXT, wholeNumber } from './values.js';

export const ENGINES = ['auto', 'tensorflow', 'webgpu', 'openblas', 'wasm', 'cpu'] as const satisfies readonly (
  EngineName | 'auto'
)[];

export const GLOBAL_OPTIONS = {
  engine: option('Engine that computes; auto, the default, takes the fastest on this machine', oneOf(ENGINES)),
  device: option('cpu, gpu or gpu:NUMBER, for engines that know GPUs; a GPU that is named must exist', TEXT),
  threads: option('Threads to compute with (default: all cores)', wholeNumber(1, 1024)),
  json: flag('Print one JSON object for programs to read'),
};

export type Hardware = Omit<GlobalArguments, 'json'>;
/** Values of GLOBAL_OPTIONS; without engine and device, GSVA_ENGINE and GSVA_DEVICE decide. */
export type GlobalArguments = ValuesOf<typeof GLOBAL_OPTIONS>;

/** The part of a command's arguments that starts its engine. */
export function hardwareOf({ engine, device, threads }: Hardware): Hardware {
  return { engine, device, threads };
}

export const PRECISION_OPTION = withDefault(
  'f32: weights in float32; packed: large ones in 16 bits; auto: f32 where it fits into memory',
  oneOf<Precision>(['auto', 'f32', 'packed']),
  'auto',
);

export const FROZEN_WEIGHTS_OPTION = option(
  "f32, or bf16: what GSVA's training leaves frozen is held in 16 bits (docs/mixed-precision.md)",
  oneOf<FrozenWeights>(['f32', 'bf16']),
);

export const REJECT_THRESHOLD_OPTION = option(
  "[REJ] from this probability on; not used by eval's protocol reference (default: the model's own, where one is stored)",
  finiteNumber(0, 1),
);

export const RANK_TIMEOUT_OPTION = withDefault(
  'Under mpirun: end when a process shows no sign of life or progress for this many seconds',
  finiteNumber(1, 86_400),
  600,
);

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

export function featureCacheOf(args: ValuesOf<typeof FEATURE_CACHE_OPTIONS>): FeatureCacheOptions | undefined {
  const { featureCache: dir, featureCacheGb: gigabytes, featureCacheDtype: dtype } = args;
  if (dir !== undefined) return { dir, gigabytes, dtype };
  if (gigabytes === undefined && dtype === undefined) return undefined;
  throw new UsageError('--feature-cache-gb and --feature-cache-dtype need --feature-cache DIR');
}
