/** `gsva plan`: how much memory a model needs, before anything of it is loaded. */
import type { Options } from 'yargs';
import { UsageError } from '../errors.js';
import { FROZEN_WEIGHTS_OPTION } from './options.js';
import { inputPath, requireFile, wholeNumber } from './values.js';
import { defineVerb } from './verb.js';

const OPTIONS = {
  config: {
    describe: "A training configuration, a benchmark, or a model's config.json",
    type: 'string',
    requiresArg: true,
    demandOption: true,
    coerce: inputPath('config'),
  },
  batch: {
    describe: 'Conversations of a training step (default: as in the file, else 1)',
    requiresArg: true,
    coerce: wholeNumber('batch', { min: 1, max: 4096 }),
  },
  tokens: {
    describe: "Tokens of a conversation, the image counted as one (default: the file's longest, else 256)",
    requiresArg: true,
    coerce: wholeNumber('tokens', { min: 16, max: 8192 }),
  },
  masks: {
    describe: 'Masks of a conversation (default: as in the file, else 5)',
    requiresArg: true,
    coerce: wholeNumber('masks', { min: 1, max: 64 }),
  },
  image: {
    describe: 'Size of images and masks (default: as in the file, else 480x640)',
    type: 'string',
    requiresArg: true,
    coerce: imageSize,
  },
  'frozen-weights': FROZEN_WEIGHTS_OPTION,
  check: {
    describe: 'Measure too, with every engine of this processor, and compare (benchmarks only)',
    type: 'boolean',
    default: false,
  },
} satisfies Record<string, Options>;

export const planVerb = defineVerb({
  path: ['plan'],
  describe: 'Say how much memory training and inference will need',
  positionals: {},
  options: OPTIONS,
  examples: [
    ['gsva plan --config configs/tiny.json5', 'parameters, and bytes on every engine'],
    ['gsva plan --config model/config.json --batch 2 --image 1024x1024 --json', 'for a program to read'],
    ['gsva plan --config configs/bench-small/config.json5 --check', 'the plan beside what is measured'],
  ],
  async run(args, context) {
    requireFile('--config', args.config);
    const { config, check, batch, tokens, masks, image, 'frozen-weights': frozenWeights } = args;
    const overrides = {
      ...(batch === undefined ? {} : { batch }),
      ...(tokens === undefined ? {} : { tokens }),
      ...(masks === undefined ? {} : { masks }),
      ...(image === undefined ? {} : { image }),
      ...(frozenWeights === undefined ? {} : { frozenWeights }),
    };
    const { runPlan } = await import('./plan-job.js');
    return runPlan({ config, check, overrides }, context);
  },
});

/** '480x640' → [480, 640]. */
function imageSize(value: unknown): readonly [number, number] {
  const match = /^(\d{2,4})x(\d{2,4})$/.exec(String(value));
  if (match === null)
    throw new UsageError(`--image must be HEIGHTxWIDTH in pixels, such as 480x640, not "${String(value)}"`);
  return [Number(match[1]), Number(match[2])];
}
