/** `gsva data synth`: writes a synthetic referring-segmentation dataset in gRefCOCO's published layout. */
import type { Options } from 'yargs';
import { duration, type ProgressBar } from './progress.js';
import { text, wholeNumber } from './values.js';
import { defineVerb } from './verb.js';

const MAX_IMAGES = 100_000;
const MAX_SEED = 2 ** 32 - 1;
/** Of the mixture, a fifth as many images as are trained on are there to measure on. */
const VAL_DIVISOR = 5;

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
    coerce: wholeNumber('seed', { min: 0, max: MAX_SEED }),
  },
  train: imagesOption('train', 2000),
  val: imagesOption('val', 300),
  testA: imagesOption('testA', 100),
  testB: imagesOption('testB', 100),
  mixture: {
    describe: 'Also the pretraining mixture: training images of each of SemSeg, RES, VQA and ReasonSeg (val: a fifth)',
    requiresArg: true,
    default: 0,
    coerce: wholeNumber('mixture', { min: 0, max: MAX_IMAGES }),
  },
  overwrite: { describe: 'Replace a synthetic dataset that is in the folder', type: 'boolean', default: false },
} satisfies Record<string, Options>;

export const dataSynthVerb = defineVerb({
  path: ['data', 'synth'],
  describe: 'Write a synthetic dataset in the layout of gRefCOCO',
  positionals: {},
  options: OPTIONS,
  examples: [
    ['gsva data synth --out data/synth', 'the standard dataset: 2000 training and 300 val images'],
    ['gsva data synth --out /tmp/small --train 50 --val 10 --testA 0 --testB 0 --seed 7', 'a small one'],
    ['gsva data synth --out data/synth --mixture 600', 'and SemSeg, RES, VQA and ReasonSeg sets of 600 images each'],
  ],
  async run(args, context) {
    const { output, signal } = context;
    const { writeSynthDataset } = await import('../synthetic/writer.js');
    const startedAt = performance.now();
    const options = {
      seed: args.seed,
      trainImages: args.train,
      valImages: args.val,
      testAImages: args.testA,
      testBImages: args.testB,
      overwrite: args.overwrite,
      ...(args.mixture === 0 ? {} : { mixture: { train: args.mixture, val: Math.ceil(args.mixture / VAL_DIVISOR) } }),
    };
    // Started by the first report: the options have passed all checks then.
    let progress: ProgressBar | null = null;
    const onProgress = (done: number, total: number): void => {
      signal.throwIfAborted();
      progress ??= context.startProgress('scenes', total);
      progress.update(done);
    };
    const stopProgress = (): void => progress?.stop();
    const summary = await writeSynthDataset(args.out, options, onProgress).finally(stopProgress);
    const seconds = (performance.now() - startedAt) / 1000;
    const { images, expressions, multiTarget, noTarget } = summary.total;
    output.line(
      `${args.out}: ${images} images written in ${duration(seconds)} (seed ${args.seed}); ${expressions} expressions, ` +
        `${multiTarget} with several targets, ${noTarget} with none`,
    );
    if (summary.mixture !== undefined) {
      const { train, val } = summary.mixture;
      output.line(
        `and the mixture: mapillary, refcoco, llava_instruct_150k, reason_seg, ${train} + ${val} images each`,
      );
    }
    output.json({ out: args.out, ...summary, seconds });
    return 0;
  },
});
