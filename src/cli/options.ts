/** Options that every verb takes. */
import type { Options } from 'yargs';
import type { EngineName } from '../engine/engine.js';
import type { Precision } from '../checkpoints/precision.js';
import type { FrozenWeights } from '../training/config/frozen-weights.js';
import { oneOf, text, wholeNumber } from './values.js';

export const ENGINES = ['auto', 'tensorflow', 'webgpu', 'openblas', 'wasm', 'cpu'] as const satisfies readonly (
  EngineName | 'auto'
)[];

const PRECISIONS = ['auto', 'f32', 'packed'] as const satisfies readonly Precision[];

const FROZEN_WEIGHTS = ['f32', 'bf16'] as const satisfies readonly FrozenWeights[];

export const GLOBAL_OPTIONS = {
  engine: {
    describe: 'What computes; auto, the default, takes the fastest found here',
    requiresArg: true,
    choices: ENGINES,
    coerce: oneOf('engine', ENGINES),
  },
  device: {
    describe: 'cpu, gpu or gpu:NUMBER, for engines that know GPUs; a GPU that is asked for must be there',
    requiresArg: true,
    coerce: text('device'),
  },
  threads: {
    describe: 'Threads to compute with (default: all cores)',
    requiresArg: true,
    coerce: wholeNumber('threads', { min: 1, max: 1024 }),
  },
  json: { describe: 'Print one JSON object for programs to read', type: 'boolean', default: false },
} satisfies Record<string, Options>;

/** How a verb that asks a model keeps its weights. */
export const PRECISION_OPTION = {
  describe: 'f32: weights in float32; packed: large ones in 16 bits; auto: f32 where it fits into memory',
  requiresArg: true,
  default: 'auto',
  choices: PRECISIONS,
  coerce: oneOf('precision', PRECISIONS),
} as const satisfies Options;

/** How a verb that looks at training holds what is frozen. */
export const FROZEN_WEIGHTS_OPTION = {
  describe: "f32, or bf16: what GSVA's training leaves frozen is held in 16 bits (docs/mixed-precision.md)",
  requiresArg: true,
  choices: FROZEN_WEIGHTS,
  coerce: oneOf('frozen-weights', FROZEN_WEIGHTS),
} as const satisfies Options;

/** Values of GLOBAL_OPTIONS. */
export interface GlobalArguments {
  /** Undefined leaves the choice to GSVA_ENGINE, then 'auto'. */
  readonly engine: (typeof ENGINES)[number] | undefined;
  /** Undefined leaves the choice to GSVA_DEVICE. */
  readonly device: string | undefined;
  readonly threads: number | undefined;
  readonly json: boolean;
}
