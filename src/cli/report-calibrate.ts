/** `gsva report calibrate`: from which probability on [REJ] should be believed. */
import type { Options } from 'yargs';
import { requireFolder, text } from './values.js';
import { defineVerb } from './verb.js';

const OPTIONS = {
  store: {
    describe: 'Folder of the model that was measured: the threshold is kept in its meta.json, and used from then on',
    type: 'string',
    requiresArg: true,
    coerce: text('store'),
  },
} satisfies Record<string, Options>;

export const reportCalibrateVerb = defineVerb({
  path: ['report', 'calibrate'],
  positionalSyntax: '<file>',
  describe: 'Find the threshold of [REJ] with the highest mean of N-acc and T-acc',
  positionals: { file: { describe: 'Records of a whole run, best of val', type: 'string', demandOption: true } },
  options: OPTIONS,
  examples: [
    ['gsva report calibrate runs/val.jsonl', 'the curve, the area under it, the best threshold'],
    ['gsva report calibrate runs/val.jsonl --store checkpoints/tiny', 'segment and eval use it from now on'],
  ],
  async run({ file, store }, context) {
    if (store !== undefined) requireFolder('--store', store);
    const { runReportCalibrate } = await import('./report-job.js');
    return runReportCalibrate({ file, store: store ?? null }, context);
  },
});
