/** `gsva data synth`: writes a synthetic referring-segmentation dataset in gRefCOCO's published layout. */
import { existsSync, readdirSync } from 'node:fs';
import type { Options } from 'yargs';
import { UserError } from '../errors.js';
import { duration } from './progress.js';
import { text, wholeNumber } from './values.js';
import { defineVerb } from './verb.js';

const MAX_IMAGES = 1_000_000;

function imagesOption(split: string, standard: number) {
  return {
    describe: `Images of the ${split} split`,
    requiresArg: true,
    default: standard,
    coerce: wholeNumber(split, { min: 0, max: MAX_IMAGES }),
  };
}

const OPTIONS = {
  out: { describe: 'Folder to write', type: 'string', requiresArg: true, demandOption: true, coerce: text('out') },
  seed: {
    describe: 'The same seed and sizes give the same bytes',
    requiresArg: true,
    default: 1,
    coerce: wholeNumber('seed', { min: 0 }),
  },
  train: imagesOption('train', 2000),
  val: imagesOption('val', 300),
  testA: imagesOption('testA', 100),
  testB: imagesOption('testB', 100),
  overwrite: { describe: 'Replace what is in the folder', type: 'boolean', default: false },
} satisfies Record<string, Options>;

export const dataSynthVerb = defineVerb({
  path: ['data', 'synth'],
  describe: 'Write a synthetic dataset in the layout of gRefCOCO',
  positionals: {},
  options: OPTIONS,
  examples: [
    ['gsva data synth --out data/synth', 'the standard dataset: 2000 training and 300 val images'],
    ['gsva data synth --out /tmp/small --train 50 --val 10 --testA 0 --testB 0 --seed 7', 'a small one'],
  ],
  async run(args, context) {
    const { output, signal } = context;
    const images = args.train + args.val + args.testA + args.testB;
    if (images === 0) throw new UserError('nothing to write: --train, --val, --testA and --testB are all 0');
    if (!args.overwrite && existsSync(args.out) && readdirSync(args.out).length > 0) {
      throw new UserError(`${args.out} is not empty; choose another folder or add --overwrite`);
    }
    const { writeSynthDataset } = await import('../data/synth/writer.js');
    const startedAt = performance.now();
    const progress = context.startProgress('scenes', images);
    const sizes = {
      seed: args.seed,
      trainImages: args.train,
      valImages: args.val,
      testAImages: args.testA,
      testBImages: args.testB,
    };
    try {
      await writeSynthDataset(args.out, sizes, (done: number) => {
        signal.throwIfAborted();
        progress.update(done);
      });
    } finally {
      progress.stop();
    }
    const seconds = (performance.now() - startedAt) / 1000;
    output.line(`${args.out}: ${images} images written in ${duration(seconds)} (seed ${args.seed})`);
    output.json({ out: args.out, ...sizes, images, seconds });
    return 0;
  },
});
