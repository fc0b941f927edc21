/** `gsva data synth`: writes a synthetic referring-segmentation dataset in gRefCOCO's published layout. */
import { flag, required, withDefault } from '../options/option.js';
import { SEED, TEXT, wholeNumber } from '../options/values.js';
import { counted, duration } from '../../workflows/watch.js';
import { defineCommand } from '../command.js';

const MAX_IMAGES = 100_000;
/** The mixture has a fifth as many validation images as training images. */
const VAL_DIVISOR = 5;

function imagesOption(split: string, standard: number) {
  return withDefault(`Images of the ${split} split`, wholeNumber(0, MAX_IMAGES), standard);
}

export const command = defineCommand({
  options: {
    out: required('Folder to write', TEXT),
    seed: withDefault('The same seed and sizes give the same bytes', SEED, 1),
    train: imagesOption('train', 2000),
    val: imagesOption('val', 300),
    testA: imagesOption('testA', 100),
    testB: imagesOption('testB', 100),
    mixture: withDefault(
      'Also the pretraining mixture: training images of each of SemSeg, RES, VQA and ReasonSeg (val: a fifth)',
      wholeNumber(0, MAX_IMAGES),
      0,
    ),
    overwrite: flag('Replace a synthetic dataset that is in the folder'),
  },
  examples: {
    'gsva data synth --out data/synth': 'the standard dataset: 2000 training and 300 val images',
    'gsva data synth --out /tmp/small --train 50 --val 10 --testA 0 --testB 0 --seed 7': 'a small one',
    'gsva data synth --out data/synth --mixture 600': 'and SemSeg, RES, VQA and ReasonSeg sets of 600 images each',
  },
  async run(args, context) {
    const { output } = context;
    const { writeSynthDataset } = await import('../../synthetic/writer.js');
    const startedAt = performance.now();
    const { out, seed, overwrite, train, val, testA, testB } = args;
    const sizes = { trainImages: train, valImages: val, testAImages: testA, testBImages: testB };
    const asked = { train: args.mixture, val: Math.ceil(args.mixture / VAL_DIVISOR) };
    const options = { seed, ...sizes, overwrite, mixture: asked.train === 0 ? undefined : asked };
    const summary = await writeSynthDataset(out, options, counted(context, 'scenes'));
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
