/** `gsva data validate`: checks a file of own data, line by line and mask by mask. */
import { required, withDefault } from '../options/option.js';
import { TEXT, wholeNumber } from '../options/values.js';
import { defineCommand } from '../command.js';
import { checkOwnData } from '../../data/own/own-data-check.js';
import { counted } from '../../workflows/watch.js';

export const command = defineCommand({
  positionals: { file: required('The file', TEXT) },
  options: { show: withDefault('Problems to print at most', wholeNumber(1, 1_000_000), 20) },
  examples: {
    'gsva data validate my/data.jsonl': 'its contents, and faults by line',
    'gsva data validate my/data.jsonl --json --show 1000': 'for a program to read',
  },
  /** @returns the exit code: 1 where there are problems, or nothing else */
  async run({ file, show }, context) {
    const { output } = context;
    const { splits, problems } = await checkOwnData(file, show, counted(context, 'check'));
    const pass = problems.total === 0 && splits.length > 0;
    for (const { message } of problems.first) output.line(message);
    if (problems.total > problems.first.length) output.line(`and ${problems.total - problems.first.length} more`);
    if (splits.length > 0) {
      output.table(
        ['split', 'images', 'expressions', 'of several parts', 'absent'],
        splits.map((each) => [each.split, each.images, each.expressions, each.multiPart, each.absent]),
      );
    }
    const count = problems.total === 1 ? 'one problem' : `${problems.total} problems`;
    output.line(`${file}: ${pass ? 'fine' : problems.total === 0 ? 'nothing is in it' : count}`);
    output.json({ file, pass, splits, problems: problems.first, totalProblems: problems.total });
    return pass ? 0 : 1;
  },
});
