/** `gsva data show`: pictures of samples, the way training sees them. */
import type { Options } from 'yargs';
import { UsageError } from '../errors.js';
import { requireFolder, text, wholeNumber } from './values.js';
import { defineVerb } from './verb.js';

const MOST_SAMPLES = 1000;
const MAX_SEED = 2 ** 32 - 1;

const OPTIONS = {
  data: {
    describe: 'Folder of the datasets (not for own data)',
    type: 'string',
    requiresArg: true,
    coerce: text('data'),
  },
  out: { describe: 'Folder to write', type: 'string', requiresArg: true, demandOption: true, coerce: text('out') },
  seed: {
    describe: 'The same seed gives the same samples',
    requiresArg: true,
    default: 1,
    coerce: wholeNumber('seed', { min: 0, max: MAX_SEED }),
  },
  'per-sample': {
    describe: 'Expressions or classes of an image in one conversation, at most',
    requiresArg: true,
    default: 5,
    coerce: wholeNumber('per-sample', { min: 1, max: 100 }),
  },
  'absent-classes': {
    describe: 'Semantic segmentation: absent classes that are asked for too',
    requiresArg: true,
    default: 0,
    coerce: wholeNumber('absent-classes', { min: 0, max: 100 }),
  },
} satisfies Record<string, Options>;

export const dataShowVerb = defineVerb({
  path: ['data', 'show'],
  positionalSyntax: '<spec> <count>',
  describe: 'Write pictures of samples with question, answer and masks, the way training sees them',
  positionals: {
    spec: {
      describe: 'A dataset or own data, and its split if not train: grefcoco, refcoco+:testA, my/data.jsonl:val',
      type: 'string',
      demandOption: true,
    },
    count: { describe: 'How many samples', type: 'number', demandOption: true },
  },
  options: OPTIONS,
  examples: [
    ['gsva data show grefcoco 8 --data data --out shown', 'eight images of gRefCOCO, with what is asked and answered'],
    ['gsva data show my/data.jsonl 8 --out shown', 'eight images of your own data'],
    ['gsva data show ade20k:validation 3 --data data --out shown --seed 7', 'another split, other images'],
    ['gsva data show ade20k 3 --data data --out shown --absent-classes 2', 'with classes that are not there, as [REJ]'],
  ],
  async run(args, context) {
    const { spec, count, data, out, seed } = args;
    const options = { perSample: args['per-sample'], absentClasses: args['absent-classes'] };
    if (!Number.isSafeInteger(count) || count < 1 || count > MOST_SAMPLES) {
      throw new UsageError(`the count must be a whole number from 1 to ${MOST_SAMPLES}, not ${count}`);
    }
    if (data !== undefined) requireFolder('--data', data);
    const { runShow } = await import('./data-show-job.js');
    return runShow({ spec, count, data: data ?? null, out, seed, options }, context);
  },
});
