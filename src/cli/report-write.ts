/** `gsva report write`: the report of recorded results, without computing them again. */
import type { Options } from 'yargs';
import { requireData } from './open-dataset.js';
import { text } from './values.js';
import { defineVerb } from './verb.js';

const OPTIONS = {
  data: {
    describe: 'Folder or file that was evaluated, for the pictures',
    type: 'string',
    requiresArg: true,
    demandOption: true,
    coerce: text('data'),
  },
  out: { describe: 'Folder of the report', type: 'string', requiresArg: true, demandOption: true, coerce: text('out') },
} satisfies Record<string, Options>;

export const reportWriteVerb = defineVerb({
  path: ['report', 'write'],
  positionalSyntax: '<file>',
  describe: 'Write the report of recorded results (HTML, Markdown, JSON)',
  positionals: { file: { describe: 'Records of a whole run', type: 'string', demandOption: true } },
  options: OPTIONS,
  examples: [['gsva report write runs/val.jsonl --data data/synth --out runs/report', 'after joining shards']],
  async run({ file, data, out }, context) {
    requireData(data);
    const { runReportWrite } = await import('./report-job.js');
    return runReportWrite({ file, data, out }, context);
  },
});
