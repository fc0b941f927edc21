/** `gsva vqa`: how many questions about pictures a model answers rightly. */
import type { Options } from 'yargs';
import { MODEL_OPTIONS, trainedModel } from './model-options.js';
import { requireData } from './open-dataset.js';
import { PRECISION_OPTION } from './options.js';
import { startEngineFor } from './start-engine.js';
import { text, wholeNumber } from './values.js';
import { defineVerb } from './verb.js';

const OPTIONS = {
  ...MODEL_OPTIONS,
  data: {
    describe: 'Data folder with llava_dataset/questions_val.json and coco/val2017',
    type: 'string',
    requiresArg: true,
    demandOption: true,
    coerce: text('data'),
  },
  limit: { describe: 'Only the first N questions', requiresArg: true, coerce: wholeNumber('limit', { min: 1 }) },
  'max-tokens': {
    describe: 'An answer is cut off after so many tokens',
    requiresArg: true,
    default: 8,
    coerce: wholeNumber('max-tokens', { min: 1, max: 512 }),
  },
  precision: PRECISION_OPTION,
} satisfies Record<string, Options>;

export const vqaVerb = defineVerb({
  path: ['vqa'],
  describe: 'Ask a model questions with short answers, and count the right ones',
  positionals: {},
  options: OPTIONS,
  examples: [
    [
      'gsva vqa --model runs/tiny-1-pretrain/last --data data/synth',
      'questions that `gsva data synth --mixture` wrote',
    ],
    ['gsva vqa --model runs/tiny-1-pretrain/last --data data/synth --limit 60 --json', 'for a program to read'],
  ],
  async run(args, context) {
    requireData(args.data);
    const { data, precision, limit = null } = args;
    const model = trainedModel(args);
    const engine = await startEngineFor(args, context);
    const { runVqa } = await import('./vqa-job.js');
    return runVqa({ model, data, precision, limit, maxTokens: args['max-tokens'] }, context, engine);
  },
});
