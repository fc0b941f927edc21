/** `gsva data check` and `gsva data stats`: which datasets are in a folder, what they lack and what they have. */
import type { Options, PositionalOptions } from 'yargs';
import { defineVerb } from './verb.js';

const POSITIONALS = {
  folder: { describe: 'Folder of the datasets', type: 'string', demandOption: true },
  sets: { describe: 'Only these, such as grefcoco; all without', type: 'string', array: true },
} satisfies Record<string, PositionalOptions>;
const NO_OPTIONS = {} satisfies Record<string, Options>;

export const dataCheckVerb = defineVerb({
  path: ['data', 'check'],
  positionalSyntax: '<folder> [sets..]',
  describe: 'Check the datasets of a folder: what is there, what is missing, what is wrong',
  positionals: POSITIONALS,
  options: NO_OPTIONS,
  examples: [
    ['gsva data check data', 'every dataset of the paper, and where to get what is missing'],
    ['gsva data check data refcoco+ grefcoco', 'these two; exit code 1 where one is missing or has a problem'],
    ['gsva data check data --json', 'for a program to read'],
  ],
  async run(args, context) {
    const { runCheck } = await import('./data-check-job.js');
    return runCheck({ folder: args.folder, sets: args.sets ?? [] }, context);
  },
});

export const dataStatsVerb = defineVerb({
  path: ['data', 'stats'],
  positionalSyntax: '<folder> [sets..]',
  describe: 'Count images and expressions of datasets, next to what is published, or of own data',
  positionals: {
    ...POSITIONALS,
    folder: { describe: 'Folder of the datasets, or a file of own data', type: 'string', demandOption: true },
  },
  options: NO_OPTIONS,
  examples: [
    ['gsva data stats data', 'every dataset that is there'],
    ['gsva data stats my/data.jsonl', 'your own data, by split'],
    ['gsva data stats data grefcoco --json', 'one, for a program to read'],
  ],
  async run(args, context) {
    const { runStats } = await import('./data-stats-job.js');
    return runStats({ folder: args.folder, sets: args.sets ?? [] }, context);
  },
});
