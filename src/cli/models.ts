/** `gsva models`: which models there are, what each needs, and what of it is on this machine. */
import type { Options } from 'yargs';
import { UsageError } from '../errors.js';
import { requireFolder, text } from './values.js';
import { defineVerb } from './verb.js';

const UNITS: Readonly<Record<string, number>> = {
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

const OPTIONS = {
  dir: {
    describe: 'Folder of the published files and of what is made of them (default: checkpoints)',
    type: 'string',
    requiresArg: true,
    coerce: text('dir'),
  },
  memory: {
    describe: 'Say what fits into so much, such as 24GiB (default: what this machine has available)',
    type: 'string',
    requiresArg: true,
    coerce: memorySize,
  },
} satisfies Record<string, Options>;

export const modelsVerb = defineVerb({
  path: ['models'],
  positionalSyntax: '[name]',
  describe: 'List the models, what each needs and what of it is here',
  positionals: { name: { describe: 'One model, with the commands to get and use it', type: 'string' } },
  options: OPTIONS,
  examples: [
    ['gsva models', 'the released models and those of this package'],
    ['gsva models --memory 24GiB', 'which of them another machine could hold'],
    ['gsva models gsva-7b-pt --dir checkpoints', 'one: files, memory, commands; exit code 1 where it is not there'],
    ['gsva models --json', 'for a program to read'],
  ],
  async run(args, context) {
    const { name = null, dir = 'checkpoints', memory = null } = args;
    if (args.dir !== undefined) requireFolder('--dir', dir);
    const { runModels } = await import('./models-job.js');
    return runModels({ name, dir, memory }, context);
  },
});

/** '24GiB' → bytes. */
function memorySize(value: unknown): number {
  const match = /^(\d+(?:\.\d+)?)\s*([mgt]i?b)$/i.exec(String(value));
  const bytes = Number(match?.[1]) * (UNITS[match?.[2]?.toLowerCase() ?? ''] ?? NaN);
  if (bytes > 0) return bytes;
  throw new UsageError(
    `--memory takes a number and MB, GB, TB, MiB, GiB or TiB, such as 24GiB, not "${String(value)}"`,
  );
}
