/** `gsva demo`: the whole way once: data, training, evaluation before and after, a report with pictures. */
import { figureHead, figureRow } from '../../evaluation/records/record-figures.js';
import { duration } from '../../workflows/watch.js';
import { defineCommand } from '../command.js';
import { withDefault } from '../options/option.js';
import { hardwareOf } from '../options/shared.js';
import { finiteNumber, SEED, TEXT } from '../options/values.js';

export const command = defineCommand({
  options: {
    minutes: withDefault('Time to train', finiteNumber(0.1, 10_080), 10),
    out: withDefault('Folder for data, checkpoints and report', TEXT, 'runs/demo'),
    seed: withDefault('Of the data and of the training', SEED, 1),
  },
  examples: {
    'gsva demo': 'ten minutes of training, report in runs/demo',
    'gsva demo --minutes 2 --out /tmp/demo': 'a short one',
  },
  async run(args, context) {
    const { output } = context;
    const { demo } = await import('../../workflows/demo.js');
    const { before, after, asked, ...result } = await demo({ ...args, engine: hardwareOf(args), ...context });
    if (result.notice !== null) output.line(result.notice);
    const rows = Object.entries({ before, after }).flatMap(([when, all]) =>
      all.map((each) => [when, ...figureRow(each)]),
    );
    output.table(['', ...figureHead(after)], rows);
    output.line(`asked: ${asked}`);
    output.line(`report: ${result.report}`);
    output.line(`model:  ${result.model}  (${duration(result.seconds)} in all)`);
    output.json(result);
    return 0;
  },
});
