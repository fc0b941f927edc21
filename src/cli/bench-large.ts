/** `gsva bench large`: a model of real size, made of random weights, from published files to an answer. */
import type { Options } from 'yargs';
import type { EngineName } from '../engine/engine.js';
import { packagePath } from '../program.js';
import { inputPath, requireFile, requireFolder, someOf, text, wholeNumber } from './values.js';
import { defineVerb } from './verb.js';

const ENGINES = ['tensorflow', 'openblas', 'wasm'] as const satisfies readonly EngineName[];

const OPTIONS = {
  config: {
    describe: "Sizes, as a model's config.json has them",
    type: 'string',
    requiresArg: true,
    default: packagePath('configs', 'bench-7b', 'config.json'),
    defaultDescription: 'configs/bench-7b/config.json',
    coerce: inputPath('config'),
  },
  dir: {
    describe: 'Folder with room for two copies of the weights (7B: 34 GB); what is made in it is deleted afterwards',
    type: 'string',
    requiresArg: true,
    demandOption: true,
    coerce: text('dir'),
  },
  on: {
    describe: 'Engines to measure',
    type: 'array',
    string: true,
    default: ['tensorflow', 'openblas'],
    coerce: someOf('on', ENGINES),
  },
  tokens: {
    describe: 'Tokens to write',
    requiresArg: true,
    default: 8,
    coerce: wholeNumber('tokens', { min: 1, max: 1000 }),
  },
} satisfies Record<string, Options>;

export const benchLargeVerb = defineVerb({
  path: ['bench', 'large'],
  describe: 'Make, convert, load and ask a model of real size',
  positionals: {},
  options: OPTIONS,
  examples: [
    ['gsva bench large --dir /tmp', '7B + CLIP-L + SAM-H: about 15 minutes, 34 GB of disk, 20 GB of memory'],
    ['gsva bench large --dir /tmp --config checkpoints/tiny/config.json --on wasm --json', 'the same, small'],
  ],
  async run(args, context) {
    requireFile('--config', args.config);
    requireFolder('--dir', args.dir);
    const { config, dir, on, tokens, threads } = args;
    const { runBenchLarge } = await import('./bench-large-job.js');
    return runBenchLarge({ config, dir, engines: on, newTokens: tokens, threads: threads ?? null }, context);
  },
});
