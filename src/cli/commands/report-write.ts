/** `gsva report write`: the report of recorded results, without computing them again. */
import { required } from '../options/option.js';
import { requireData, TEXT } from '../options/values.js';
import { defineCommand } from '../command.js';

export const command = defineCommand({
  positionals: { file: required('Records of a whole run', TEXT) },
  options: {
    data: required('Folder or file that was evaluated, for the pictures', TEXT),
    out: required('Folder of the report', TEXT),
  },
  examples: [['gsva report write runs/val.jsonl --data data/synth --out runs/report', 'after joining shards']],
  async run({ file, data, out }, { output }) {
    requireData(data);
    const { writeReport } = await import('../../workflows/report.js');
    const { measured, report } = await writeReport({ records: file, data, out });
    output.line(`measured on ${measured ?? ''}`);
    output.line(report);
    output.json({ file, measured, report });
    return 0;
  },
});
