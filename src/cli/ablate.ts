/** `gsva ablate`: the paper's ablations on the embedded benchmark. */
import { join } from 'node:path';
import type { Options } from 'yargs';
import { UsageError } from '../errors.js';
import type { AblateRequest } from './ablate-job.js';
import { ABLATION_CONFIGS } from './ablation-rows.js';
import type { Shard } from './ablation-runs.js';
import { startEngineFor } from './start-engine.js';
import { someOf, text, wholeNumber } from './values.js';
import { defineVerb } from './verb.js';

const OPTIONS = {
  only: {
    describe: 'Only these configurations of configs/ablations',
    type: 'string',
    array: true,
    requiresArg: true,
    default: [...ABLATION_CONFIGS],
    defaultDescription: 'all',
    coerce: someOf('only', ABLATION_CONFIGS),
  },
  seeds: {
    describe: 'Runs of each, with the seeds 1, 2, …',
    requiresArg: true,
    default: 3,
    coerce: wholeNumber('seeds', { min: 1, max: 100 }),
  },
  updates: {
    describe: "Updates of each run (default: the configuration's)",
    requiresArg: true,
    coerce: wholeNumber('updates', { min: 2, max: 1_000_000 }),
  },
  out: {
    describe: 'Folder for data, results and logs',
    type: 'string',
    requiresArg: true,
    default: 'runs/ablate',
    coerce: text('out'),
  },
  resume: { describe: 'Keep the finished runs in --out and make the others', type: 'boolean', default: false },
  shard: {
    describe: 'Only part i of n of the runs, as i/n: one process for each part, all with the same --out',
    type: 'string',
    requiresArg: true,
    default: '1/1',
    coerce: shard,
  },
  table: {
    describe: 'File for the tables, Markdown (default: ablations.md in --out)',
    type: 'string',
    requiresArg: true,
    coerce: text('table'),
  },
} satisfies Record<string, Options>;

export const ablateVerb = defineVerb({
  path: ['ablate'],
  describe: "Train and measure the rows of the paper's ablations on the embedded benchmark",
  positionals: {},
  options: OPTIONS,
  examples: [
    ['gsva ablate', 'all rows, three seeds: hours'],
    ['gsva ablate --only gsva no-rej --seeds 1 --updates 40 --out /tmp/ablate', 'two rows, quickly'],
    ['gsva ablate --shard 1/2 --threads 1 --resume', 'half of the runs, beside another process with 2/2'],
  ],
  async run(args, context) {
    const request: AblateRequest = {
      configs: args.only,
      seeds: args.seeds,
      updates: args.updates ?? null,
      out: args.out,
      resume: args.resume,
      shard: args.shard,
      table: args.table ?? join(args.out, 'ablations.md'),
    };
    const engine = await startEngineFor(args, context);
    const { runAblate } = await import('./ablate-job.js');
    return runAblate(request, context, engine);
  },
});

function shard(value: unknown): Shard {
  const [, index, count] = /^(\d{1,4})\/(\d{1,4})$/.exec(String(value)) ?? [];
  const found = { index: Number(index), count: Number(count) };
  if (found.index >= 1 && found.index <= found.count) return found;
  throw new UsageError(`--shard must be i/n with i from 1 to n, such as 1/2, not ${JSON.stringify(value)}`);
}
