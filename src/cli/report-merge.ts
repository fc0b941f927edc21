/** `gsva report merge`: joins the shards of a run. */
import type { Options } from 'yargs';
import { text } from './values.js';
import { defineVerb } from './verb.js';

const OPTIONS = {
  out: { describe: 'File to write', type: 'string', requiresArg: true, demandOption: true, coerce: text('out') },
} satisfies Record<string, Options>;

export const reportMergeVerb = defineVerb({
  path: ['report', 'merge'],
  positionalSyntax: '<files..>',
  describe: 'Join the shards of an evaluation: the figures are those of one process',
  positionals: { files: { describe: 'Records of all shards', type: 'string', array: true, demandOption: true } },
  options: OPTIONS,
  examples: [['gsva report merge runs/val-0.jsonl runs/val-1.jsonl --out runs/val.jsonl', 'two halves']],
  async run({ files, out }, context) {
    const { runReportMerge } = await import('./report-job.js');
    return runReportMerge({ files, out }, context);
  },
});
