/** `gsva report merge`: joins the shards of a run. */
import { required } from '../options/option.js';
import { TEXT, TEXTS } from '../options/values.js';
import { faultsText, figureHead, figureRow } from '../../evaluation/records/record-figures.js';
import { defineCommand } from '../command.js';

export const command = defineCommand({
  positionals: { files: required('Records of all shards', TEXTS) },
  options: { out: required('File to write', TEXT) },
  examples: [['gsva report merge runs/val-0.jsonl runs/val-1.jsonl --out runs/val.jsonl', 'two halves']],
  async run({ files, out }, { output }) {
    const { mergeShards } = await import('../../workflows/report.js');
    const { results, faults } = mergeShards({ files, out });
    output.table(figureHead(results), results.map(figureRow));
    const strange = faultsText(faults);
    if (strange !== null) output.line(strange);
    output.line(out);
    output.json({ out, files, results: results.map((result) => ({ ...result.figures, ...result })) });
    return 0;
  },
});
