/** `gsva report compare`: two runs over the same expressions. */
import type { Options } from 'yargs';
import { wholeNumber } from './values.js';
import { defineVerb } from './verb.js';

const OPTIONS = {
  resamples: {
    describe: 'How often the images are drawn anew',
    requiresArg: true,
    default: 10_000,
    coerce: wholeNumber('resamples', { min: 100, max: 1_000_000 }),
  },
  seed: {
    describe: 'The same seed gives the same intervals',
    requiresArg: true,
    default: 1,
    coerce: wholeNumber('seed', { min: 0, max: 2 ** 32 - 1 }),
  },
} satisfies Record<string, Options>;

export const reportCompareVerb = defineVerb({
  path: ['report', 'compare'],
  positionalSyntax: '<a> <b>',
  describe: 'Compare two runs over the same expressions, with 95 % intervals (paired bootstrap over images)',
  positionals: {
    a: { describe: 'Records of a run', type: 'string', demandOption: true },
    b: { describe: 'Records of another one; differences are b − a', type: 'string', demandOption: true },
  },
  options: OPTIONS,
  examples: [
    ['gsva report compare runs/before.jsonl runs/after.jsonl', 'what changed, and how far it may be chance'],
    ['gsva report compare runs/before.jsonl runs/after.jsonl --json', 'for a program to read'],
  ],
  async run({ a, b, resamples, seed }, context) {
    const { runReportCompare } = await import('./report-job.js');
    return runReportCompare({ a, b, resamples, seed }, context);
  },
});
