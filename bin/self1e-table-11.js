/**
 * SELF1E's Table 11 in miniature: the ways of retaining the resolution, with and without amplified
 * residual features, from one base that knows none of them:
 *
 *     node bin/self1e-table-11.js runs/table-11 --start runs/self1e-base/last --data data/synth-self1e --updates 600
 *
 * Few updates say nothing: after 90 of them, every variant finds next to nothing yet (cIoU 13 to 17).
 *
 * Arguments after these go to every `gsva` command. Finished steps are not repeated: the same command continues after an
 * interruption. Prints the table as Markdown.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const GSVA = fileURLToPath(new URL('gsva.js', import.meta.url));
const CONFIG = fileURLToPath(new URL('../configs/tiny-self1e-3.json5', import.meta.url));
const SEEDS = [1, 2, 3];
/** Rows of the paper's Table 11, cIoU on val of RefCOCO, RefCOCO+ and RefCOCOg, and its name there. */
const RETAINING = {
  none: { title: 'Baseline', paper: [76.2, 72.3, 74.5] },
  scanning: { title: 'Scanning', paper: [78.3, 73.3, 76.3] },
  'self-replication': { title: 'Self-Replication', paper: [78.9, 73.5, 76.3] },
};

const { own, shared } = split(process.argv.slice(2));
const { out = 'runs/table-11', start = 'runs/self1e-base/last', data = 'data/synth-self1e', updates = '600' } = own;
mkdirSync(out, { recursive: true });

/** The script's own arguments, and those that go to every command. */
function split([out, ...rest]) {
  const own = out === undefined ? {} : { out };
  const shared = [];
  for (let i = 0; i < rest.length; i++) {
    const name = /^--(start|data|updates)$/.exec(rest[i])?.[1];
    if (name === undefined) shared.push(rest[i]);
    else own[name] = rest[++i];
  }
  return { own, shared };
}

/** Runs a command and returns its stdout. */
function gsva(words) {
  process.stderr.write(`gsva ${words.join(' ')}\n`);
  const { status, stdout, error } = spawnSync(process.execPath, [GSVA, ...words, ...shared], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 2 ** 26,
  });
  if (status !== 0) throw new Error(`gsva ${words[0]} ended with ${status}`, { cause: error });
  return stdout;
}

/** cIoU and gIoU of a variant and a seed on val, in per cent; kept in a file. */
function measured(retaining, amplifier, seed) {
  const name = `${retaining}-${amplifier ? 'rfa' : 'plain'}-seed${seed}`;
  const file = join(out, `${name}.json`);
  if (!existsSync(file)) {
    const folder = join(out, name);
    rmSync(folder, { recursive: true, force: true });
    const settings = {
      // None of the ways begins with projections that were trained for another.
      drawn: '["projections"]',
      'model.refill.retaining': retaining,
      'model.refill.amplifier': amplifier,
      'training.seed': seed,
      'training.schedule.totalUpdates': updates,
      'training.validateEvery': 0,
      'training.checkpointEvery': 0,
      'training.bestMetric': 'null',
      'data.dir': data,
      start,
    };
    const set = Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
    gsva(['train', '--config', CONFIG, '--out', folder, ...set]);
    const model = join(folder, 'last');
    const words = [
      'eval',
      '--model',
      model,
      '--data',
      data,
      '--dataset',
      'refcoco',
      '--split',
      'val',
      '--limit',
      '200',
    ];
    writeFileSync(file, gsva([...words, '--json']));
    rmSync(folder, { recursive: true, force: true });
  }
  const { cIoU, gIoU } = JSON.parse(readFileSync(file, 'utf8'));
  return { cIoU: 100 * cIoU, gIoU: 100 * gIoU };
}

/** "62.1 ± 0.4" */
function spread(values) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return `${mean.toFixed(1)} ± ${Math.sqrt(squares / Math.max(1, values.length - 1)).toFixed(1)}`;
}

const rows = Object.entries(RETAINING).flatMap(([retaining, { title, paper }]) =>
  [true, false].map((amplifier) => ({ retaining, title, paper, amplifier, runs: [] })),
);
// Seed by seed, so that an interrupted table has figures of every row.
for (const seed of SEEDS) for (const row of rows) row.runs.push(measured(row.retaining, row.amplifier, seed));

console.log('| | RFA | paper: RefCOCO | RefCOCO+ | RefCOCOg | cIoU | gIoU |');
console.log('| --- | :---: | ---: | ---: | ---: | ---: | ---: |');
for (const { title, paper, amplifier, runs } of rows) {
  const published = amplifier ? paper.map((value) => value.toFixed(1)) : ['–', '–', '–'];
  const [cIoU, gIoU] = ['cIoU', 'gIoU'].map((name) => spread(runs.map((run) => run[name])));
  console.log(`| ${title} | ${amplifier ? 'with' : 'without'} | ${[...published, cIoU, gIoU].join(' | ')} |`);
}
