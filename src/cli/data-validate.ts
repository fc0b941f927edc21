/** `gsva data validate`: checks a file of own data, line by line and mask by mask. */
import type { Options } from 'yargs';
import { wholeNumber } from './values.js';
import { defineVerb } from './verb.js';

const OPTIONS = {
  show: {
    describe: 'Problems to print at most',
    requiresArg: true,
    default: 20,
    coerce: wholeNumber('show', { min: 1, max: 1_000_000 }),
  },
} satisfies Record<string, Options>;

export const dataValidateVerb = defineVerb({
  path: ['data', 'validate'],
  positionalSyntax: '<file>',
  describe: 'Check your own data (JSON lines): every line, every image, every mask',
  positionals: { file: { describe: 'The file', type: 'string', demandOption: true } },
  options: OPTIONS,
  examples: [
    ['gsva data validate my/data.jsonl', 'what is in it, and what is wrong on which line'],
    ['gsva data validate my/data.jsonl --json --show 1000', 'for a program to read'],
  ],
  async run(args, context) {
    const { runValidate } = await import('./data-validate-job.js');
    return runValidate({ file: args.file, show: args.show }, context);
  },
});
