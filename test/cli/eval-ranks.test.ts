/**
 * `mpirun gsva eval`, as a user types it: the figures and records of one process, also after an interruption. Skipped, with
 * the reason, where there is no mpirun. Runs dist/, which `npm test` builds.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeSynthDataset } from '../../src/synthetic/writer.js';
import { readRecords } from '../../src/evaluation/records/record-file.js';
import { missingForMpi, startJob } from '../helpers/mpirun.js';

const skipped = missingForMpi();
const withMpi = skipped === null ? test : test.skip;
const scratch = mkdtempSync(join(tmpdir(), 'gsva-eval-mpi-'));
const at = (...parts: string[]): string => join(scratch, ...parts);

beforeAll(async () => {
  if (skipped !== null) process.stderr.write(`eval-ranks.test.ts does nothing: ${skipped}\n`);
  else await writeSynthDataset(at('data'), { seed: 1, trainImages: 1, valImages: 5, testAImages: 0, testBImages: 0 });
});
afterAll(() => {
  rmSync(scratch, { recursive: true, force: true });
});

const flags = (records: string): string[] => [
  ...['bin/gsva.js', 'eval', '--data', at('data'), '--protocol', 'reference', 'strict', '--batch', '1', '--json'],
  ...['--records', at(records), '--engine', 'wasm', '--threads', '1', '--rank-timeout', '30'],
];

interface Printed {
  readonly gIoU: number;
  readonly seconds: number;
  readonly [key: string]: unknown;
}

async function evaluated(ranks: number, records: string, ...more: string[]): Promise<Printed> {
  const { code, output } = await startJob(ranks, [...flags(records), ...more]).ended;
  if (code !== 0) throw new Error(`exit code ${String(code)}: ${output}`);
  const lines = output.split('\n').filter((line) => line.startsWith('{'));
  expect(lines).toHaveLength(1);
  return JSON.parse(lines[0] ?? '') as Printed;
}

/** Apart from clocks. */
function recordsOf(name: string): unknown {
  const { header, images } = readRecords(at(name));
  return { header: { ...header, date: '' }, images: images.map((image) => ({ ...image, seconds: 0, date: '' })) };
}

describe('mpirun gsva eval', () => {
  withMpi('with 2 ranks gives the figures and records of one, and goes on after an interruption', async () => {
    const one = await evaluated(1, 'one.jsonl');
    const two = await evaluated(2, 'two.jsonl');
    const withoutTimes = ({ others, ...rest }: Printed): unknown => [
      { ...rest, seconds: 0 },
      (others as Printed[]).map((other) => ({ ...other, seconds: 0 })),
    ];
    expect(withoutTimes(two)).toEqual(withoutTimes(one));
    expect(recordsOf('two.jsonl')).toEqual(recordsOf('one.jsonl'));

    const job = startJob(2, flags('stopped.jsonl'));
    const part = at('stopped.jsonl.1-of-2');
    while (!existsSync(part) || imagesIn(part) === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    job.process.kill('SIGKILL');
    await job.ended;
    expect(existsSync(at('stopped.jsonl'))).toBe(false);
    const other = await startJob(3, [...flags('stopped.jsonl'), '--resume']).ended;
    expect(other.code).not.toBe(0);
    expect(other.output).toMatch(/of-2 belongs to a run by 2 processes, this one has 3/);
    await evaluated(2, 'stopped.jsonl', '--resume');
    expect(recordsOf('stopped.jsonl')).toEqual(recordsOf('one.jsonl'));
    expect(readdirSync(scratch).filter((name) => name.includes('-of-'))).toEqual([]);
  });

  withMpi('refuses what several processes cannot do', async () => {
    const { code, output } = await startJob(
      2,
      flags('none.jsonl').filter((flag) => !/^--records$|none/.test(flag)),
    ).ended;
    expect(code).not.toBe(0);
    expect(output).toMatch(/under mpirun each process has a shard: name a file/);
  });
});

/** How many images are there; 0 while there is not even a header. */
function imagesIn(path: string): number {
  try {
    return readRecords(path).images.length;
  } catch {
    return 0;
  }
}
