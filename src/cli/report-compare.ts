/** `gsva report compare`: two evaluations over the same expressions, or two trainings. */
import type { Options } from 'yargs';
import { text, wholeNumber } from './values.js';
import { defineVerb } from './verb.js';

const OPTIONS = {
  out: {
    describe:
      'Folder for the comparison as a page (HTML, Markdown, JSON), with the curves of trainings over each other',
    type: 'string',
    requiresArg: true,
    coerce: text('out'),
  },
  resamples: {
    describe: 'Records: how often images are drawn with replacement',
    requiresArg: true,
    default: 10_000,
    coerce: wholeNumber('resamples', { min: 100, max: 1_000_000 }),
  },
  seed: {
    describe: 'Records: the same seed gives the same intervals',
    requiresArg: true,
    default: 1,
    coerce: wholeNumber('seed', { min: 0, max: 2 ** 32 - 1 }),
  },
} satisfies Record<string, Options>;

export const reportCompareVerb = defineVerb({
  path: ['report', 'compare'],
  positionalSyntax: '<a> <b>',
  describe:
    'Compare two evaluations over the same expressions, with 95 % intervals (paired bootstrap over images), or two trainings',
  positionals: {
    a: { describe: 'Records of an evaluation, or the folder of a training', type: 'string', demandOption: true },
    b: { describe: 'Another one of the same kind; differences are b − a', type: 'string', demandOption: true },
  },
  options: OPTIONS,
  examples: [
    ['gsva report compare runs/before.jsonl runs/after.jsonl', 'what changed, and how far it may be chance'],
    ['gsva report compare runs/before.jsonl runs/after.jsonl --json', 'for a program to read'],
    ['gsva report compare runs/first runs/second --out runs/compared', 'two trainings: configurations, course, curves'],
  ],
  async run({ a, b, resamples, seed, out }, context) {
    const { runReportCompare } = await import('./compare-job.js');
    return runReportCompare({ a, b, resamples, seed, out: out ?? null }, context);
  },
});
