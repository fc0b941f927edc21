/**
 * `mpirun gsva train`, as a user types it: 2 and 4 ranks make the updates of one to 1e-5, a run goes on with another
 * number of ranks, and a rank that is killed or stopped ends the job with a message that names it. Does nothing, with
 * the reason, where there is no mpirun. Runs dist/, which `npm test` builds.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeSynthDataset } from '../../../src/synthetic/writer.js';
import { readSafetensors } from '../../../src/io/safetensors/safetensors.js';
import { toFloat32 } from '../../../src/io/file-tensor.js';
import { Random } from '../../../src/random.js';
import { readRunLog } from '../../../src/training/watching/run-log.js';
import { isAlive, type Job, missingForMpi, pidsOf, startJob } from '../../helpers/mpirun.js';
import { smallConfig, writeConfig } from '../../helpers/small-experiment.js';

const skipped = missingForMpi();
const scratch = mkdtempSync(join(tmpdir(), 'gsva-mpi-'));
const at = (...parts: string[]): string => join(scratch, ...parts);
/** Seconds: more than a step takes on a very busy machine, less than a test may. */
const RANK_TIMEOUT = 15;
const UPDATES = 4;

beforeAll(async () => {
  if (skipped !== null) {
    process.stderr.write(`mpirun.test.ts does nothing: ${skipped}\n`);
    return;
  }
  await writeSynthDataset(at('data'), { seed: 1, trainImages: 6, valImages: 1, testAImages: 0, testBImages: 0 });
  const config = smallConfig(at('data'));
  const training = {
    ...(config.training as object),
    ...{ batchSize: 1, validateEvery: 0, bestMetric: undefined, checkpointEvery: 2 },
    // Where a gradient is all but 0, a small eps would turn the last bit of a sum into a whole step.
    optimizer: { beta1: 0.9, beta2: 0.95, eps: 1e-3, weightDecay: 0, clipNorm: 1 },
    schedule: { learningRate: 1e-3, warmupUpdates: 1, totalUpdates: UPDATES, decay: 'linear' },
  };
  writeConfig(at('run.json5'), { ...config, training });
});
afterAll(() => {
  rmSync(scratch, { recursive: true, force: true });
});

const withMpi = skipped === null ? test : test.skip;

/** A training with 4 micro-batches in each update. */
function train(ranks: number, out: string, updates = UPDATES, ...more: string[]): Job {
  return startJob(ranks, [
    ...['bin/gsva.js', 'train', '--config', at('run.json5'), '--out', at(out), '--engine', 'wasm', '--threads', '1'],
    ...['--rank-timeout', String(RANK_TIMEOUT), ...more],
    ...['--set', `training.accumulation=${4 / ranks}`, `training.schedule.totalUpdates=${updates}`],
  ]);
}

async function trained(...args: Parameters<typeof train>): Promise<string> {
  const { code, output } = await train(...args).ended;
  if (code !== 0) throw new Error(`exit code ${String(code)}: ${output}`);
  return output;
}

const updatesOf = (out: string): ReturnType<typeof readRunLog>['updates'] => readRunLog(at(out, 'log.jsonl')).updates;

/** All numbers of a run's last checkpoint; the moments are put together from the ranks' files. */
function numbersOf(out: string): Map<string, Float32Array> {
  const numbers = new Map<string, Float32Array>();
  const parts: { readonly name: string; readonly start: number; readonly data: Float32Array }[] = [];
  for (const file of readdirSync(at(out, 'last')).filter((name) => name.endsWith('.safetensors'))) {
    for (const [key, tensor] of readSafetensors(at(out, 'last', file)).tensors) {
      const [, name = key, start = '0'] = /^(.*)@(\d+)$/.exec(key) ?? [];
      parts.push({ name, start: Number(start), data: toFloat32(tensor) });
    }
  }
  for (const { name, start, data } of parts.sort((a, b) => a.start - b.start)) {
    const before = numbers.get(name) ?? new Float32Array(0);
    expect([name, before.length]).toEqual([name, start]);
    numbers.set(name, Float32Array.from([...before, ...data]));
  }
  return numbers;
}

/** Largest difference of any number of two checkpoints. */
function largestDifference(a: string, b: string): number {
  const [one, other] = [numbersOf(a), numbersOf(b)];
  expect([...one.keys()].sort()).toEqual([...other.keys()].sort());
  let largest = 0;
  for (const [name, found] of one) {
    const expected = other.get(name) ?? new Float32Array(0);
    expect(found).toHaveLength(expected.length);
    found.forEach((value, index) => {
      largest = Math.max(largest, Math.abs(value - (expected[index] ?? NaN)));
    });
  }
  return largest;
}

function expectSameRun(a: string, b: string): void {
  expect(largestDifference(a, b)).toBeLessThan(1e-5);
  const [one, other] = [updatesOf(a), updatesOf(b)];
  expect(one.map(({ update, epoch }) => [update, epoch])).toEqual(other.map(({ update, epoch }) => [update, epoch]));
  one.forEach(({ losses, gradNorm }, index) => {
    expect(losses.loss).toBeCloseTo(other[index]?.losses.loss ?? NaN, 4);
    expect(gradNorm).toBeCloseTo(other[index]?.gradNorm ?? NaN, 3);
  });
}

describe('mpirun gsva train', () => {
  withMpi('with 2 and 4 ranks makes the updates of one, and says so on rank 0 alone', async () => {
    await trained(1, 'one');
    for (const ranks of [2, 4]) {
      const output = await trained(ranks, `ranks-${ranks}`);
      expect(output).toMatch(new RegExp(`${ranks} ranks by Open MPI`));
      expect(output.match(/^trained: /gm)).toHaveLength(1);
      expectSameRun(`ranks-${ranks}`, 'one');
      expect(updatesOf(`ranks-${ranks}`)[0]?.sentBytes).toBeGreaterThan(0);
    }
  });

  withMpi('goes on with another number of ranks', async () => {
    const updates = 12;
    await trained(1, 'whole', updates);
    const job = train(4, 'restarted', updates);
    await reached(job, 'restarted', 2);
    job.process.kill('SIGUSR2'); // mpirun passes it on to all ranks, which finish the update and save
    await job.ended;
    const end = readRunLog(at('restarted', 'log.jsonl')).records.at(-1);
    expect(end).toMatchObject({ type: 'end', reason: 'aborted' });
    expect(end?.update).toBeLessThan(updates);
    await trained(2, 'restarted', updates, '--resume');
    expectSameRun('restarted', 'whole');
  });

  withMpi('a rank that is killed ends the job; it goes on from the last checkpoint', async () => {
    const { output, update } = await disturb('killed', 1, 'SIGKILL');
    expect(output).toMatch(new RegExp(`rank 1 on ${hostname()}, in update ${update}, is dead`));
    const state = JSON.parse(readFileSync(at('killed', 'last', 'state.json'), 'utf8')) as { update: number };
    await trained(1, 'killed', state.update + 2, '--resume');
    expect(readRunLog(at('killed', 'log.jsonl')).records.map(({ type }) => type)).toContain('resume');
  });

  withMpi(
    'killed again and again, it goes on from a complete checkpoint with --resume auto, on any number of ranks',
    async () => {
      const stateOf = (): { update: number; ranks: number } =>
        JSON.parse(readFileSync(at('kills', 'last', 'state.json'), 'utf8')) as { update: number; ranks: number };
      const random = new Random(3);
      let before = 0;
      for (const [kill, ranks] of [2, 4, 2].entries()) {
        const job = train(ranks, 'kills', 100_000, '--resume', 'auto');
        await reached(job, 'kills', before + 3);
        await new Promise((resolve) => setTimeout(resolve, random.integer(300)));
        process.kill(pidsOf(job).get(kill % ranks) as number, 'SIGKILL');
        const { output } = await job.ended;
        expect(output).toMatch(kill === 0 ? /starts from the beginning/ : /Continuing from .*last after update/);
        expect(output).not.toContain('is not used');
        expect(stateOf()).toMatchObject({ ranks });
        expect(stateOf().update).toBeGreaterThan(before);
        before = stateOf().update;
      }
      await trained(1, 'kills', before + 1, '--resume', 'auto');
      expect(stateOf()).toMatchObject({ ranks: 1, update: before + 1 });
      expect(readdirSync(at('kills')).filter((name) => name.startsWith('.'))).toEqual([]);
    },
  );

  withMpi('a rank that is stopped ends the job within the time limit', async () => {
    const { output, update } = await disturb('stopped', 1, 'SIGSTOP');
    expect(output).toMatch(new RegExp(`rank 1 on ${hostname()}, in update ${update}, hangs: no sign of life`));
  });

  withMpi('rank 0 is no exception', async () => {
    const { output, update } = await disturb('first', 0, 'SIGSTOP');
    expect(output).toMatch(new RegExp(`rank 0 on ${hostname()}, in update ${update}, hangs: no sign of life`));
  });

  withMpi('an error ends the job and is said', async () => {
    const { code, output } = await train(2, 'fails', UPDATES, '--data', at('nowhere')).ended;
    expect(code).not.toBe(0);
    expect(output).toMatch(/nowhere/);
  });
});

/** Waits until the log tells of so many updates; rejects when the job ends before. */
async function reached(job: Job, out: string, updates: number): Promise<void> {
  const path = at(out, 'log.jsonl');
  while (!existsSync(path) || updatesOf(out).length < updates) {
    if (job.process.exitCode !== null) throw new Error(`the job has ended: ${(await job.ended).output}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A rank may outlive mpirun by the time after which its watching thread kills it, and no longer. */
async function gone(pids: readonly number[]): Promise<void> {
  const end = performance.now() + 15_000;
  while (pids.some(isAlive) && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 50));
  expect(pids.filter(isAlive)).toEqual([]);
}

/** Sends a signal to a rank of a long run; what the job said, and the updates that it was in. */
async function disturb(out: string, rank: number, signal: NodeJS.Signals): Promise<{ output: string; update: string }> {
  const job = train(2, out, 100_000);
  await reached(job, out, 3);
  // Checkpoints are written while the run goes on: the first is there an update or two later.
  while (!existsSync(at(out, 'last', 'state.json')) && job.process.exitCode === null)
    await new Promise((resolve) => setTimeout(resolve, 20));
  const pids = pidsOf(job);
  expect(pids.size).toBe(2);
  process.kill(pids.get(rank) as number, signal);
  const { code, output } = await job.ended;
  expect(code).not.toBe(0);
  await gone([...pids.values()]);
  // The log may lag behind the message by an update, or be ahead of a stopped rank.
  const last = updatesOf(out).length;
  return { output, update: `(${[-1, 0, 1, 2].map((more) => last + more).join('|')})` };
}
