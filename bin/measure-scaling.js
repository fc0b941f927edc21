/**
 * Weak scaling of `gsva train` on this machine: the same work for each rank, with 1, 2, … ranks of mpirun.
 *
 *     node bin/measure-scaling.js 1,2,4 --config configs/tiny.json5 --data data/synth --engine openblas --threads 1
 *
 * Arguments after the numbers of ranks go to `gsva train`; runs are made in a temporary folder. The medians leave the
 * first update out, in which memory is allocated.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const GSVA = fileURLToPath(new URL('gsva.js', import.meta.url));

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;

function measure(ranks, argv, out) {
  const program = [GSVA, 'train', '--out', out, ...argv];
  const launcher = ['--allow-run-as-root', '--oversubscribe', '-np', String(ranks), process.execPath];
  const [command, ...words] = ranks === 1 ? [process.execPath, ...program] : ['mpirun', ...launcher, ...program];
  const { status, stderr, error } = spawnSync(command, words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${ranks} ranks: ${error?.message ?? stderr}`);
  const records = readFileSync(join(out, 'log.jsonl'), 'utf8').trim().split('\n').map(JSON.parse);
  const updates = records.filter(({ type }) => type === 'update').slice(1);
  return {
    ranks,
    'samples/s': median(updates.map((update) => update.samplesPerSecond)),
    's/update': median(updates.map(({ seconds }) => seconds)),
    's in exchanges': median(updates.map(({ exchangeSeconds }) => exchangeSeconds ?? 0)),
    'MB sent/update': median(updates.map(({ sentBytes }) => (sentBytes ?? 0) / 1e6)),
  };
}

const [counts = '1,2', ...argv] = process.argv.slice(2);
const scratch = mkdtempSync(join(tmpdir(), 'gsva-scaling-'));
try {
  const rows = counts.split(',').map((count) => measure(Number(count), argv, join(scratch, count)));
  const [first] = rows;
  for (const row of rows) row.efficiency = row['samples/s'] / row.ranks / (first['samples/s'] / first.ranks);
  console.table(rows);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
