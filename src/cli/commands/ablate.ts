/** `gsva ablate`: the paper's ablations on the embedded benchmark. */
import { join } from 'node:path';
import { ablationCells, ABLATION_CONFIGS } from '../../evaluation/ablation-table.js';
import { defineCommand } from '../command.js';
import { flag, option, withDefault } from '../options/option.js';
import { hardwareOf } from '../options/shared.js';
import { SHARD, someOf, TEXT, wholeNumber } from '../options/values.js';

export const command = defineCommand({
  options: {
    only: withDefault(
      'Only these configurations of configs/ablations',
      someOf(ABLATION_CONFIGS),
      [...ABLATION_CONFIGS],
      'all',
    ),
    seeds: withDefault('Runs of each, with the seeds 1, 2, …', wholeNumber(1, 100), 3),
    updates: option("Updates of each run (default: the configuration's)", wholeNumber(2, 1_000_000)),
    out: withDefault('Folder for data, results and logs', TEXT, 'runs/ablate'),
    resume: flag('Keep the finished runs in --out and make the others'),
    shard: option(
      'Only run k with k mod COUNT = INDEX, as INDEX/COUNT: one process for each, all with the same --out',
      SHARD,
    ),
    table: option('File for the tables, Markdown (default: ablations.md in --out)', TEXT),
  },
  examples: {
    'gsva ablate': 'all rows, three seeds: hours',
    'gsva ablate --only gsva no-reject --seeds 1 --updates 40 --out /tmp/ablate': 'two rows, quickly',
    'gsva ablate --shard 0/2 --threads 1 --resume': 'half of the runs, next to another process with 1/2',
  },
  async run(args, context) {
    const { output } = context;
    const { ablate } = await import('../../workflows/ablate.js');
    const table = args.table ?? join(args.out, 'ablations.md');
    const tables = await ablate({ ...args, configs: args.only, table, engine: hardwareOf(args), ...context });
    for (const each of tables) {
      const [head = [], ...rows] = ablationCells(each);
      output.line(each.title);
      output.table(head, rows);
    }
    output.line(`tables: ${table}`);
    output.json({ tables, table });
    return 0;
  },
});
