/** bin/train.sh and bin/train-slurm.sh: the commands that they run, with programs in place of node, mpirun and Slurm. */
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-scripts-'));
const programs = join(scratch, 'programs');
const out = join(scratch, 'run');
const calls = join(scratch, 'calls');
const env = { ...process.env, PATH: `${programs}:${process.env['PATH'] ?? ''}`, CALLS: calls };

function program(name: string, lines: string): void {
  const path = join(programs, name);
  writeFileSync(path, `#!/usr/bin/env bash\n${lines}\n`);
  chmodSync(path, 0o755);
}

/** The words of the command, without the paths of this checkout. */
function run(script: string, args: readonly string[], more: Record<string, string> = {}) {
  const found = spawnSync(resolve('bin', script), args, { env: { ...env, ...more }, encoding: 'utf8' });
  return { code: found.status, stdout: found.stdout.replaceAll(`${resolve('.')}/`, '').trim(), stderr: found.stderr };
}

beforeAll(() => {
  mkdirSync(programs);
  program('node', 'echo node "$@"');
  program('mpirun', 'echo mpirun "$@"');
  program('id', 'echo 1000');
  program('nproc', 'echo 4');
  program('srun', 'echo srun "$@"');
});
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

describe('bin/train.sh', () => {
  const train = (...args: string[]) => run('train.sh', ['a b.json5', out, ...args]);

  test('one GPU: the 160 samples of an update in 80 micro-batches', () => {
    expect(train('1', '--data', 'my data').stdout).toBe(
      `node bin/gsva.js train --config a b.json5 --out ${out} --resume auto --set training.batchSize=2 training.accumulation=80 --data my data`,
    );
  });

  test('eight: ten micro-batches each, more processes than processors', () => {
    expect(train('8').stdout).toBe(
      `mpirun -np 8 --bind-to none --oversubscribe node bin/gsva.js train --config a b.json5 --out ${out} ` +
        '--resume auto --set training.batchSize=2 training.accumulation=10',
    );
    expect(train('4').stdout).not.toContain('--oversubscribe');
  });

  test('another size of update; one that cannot be divided is refused', () => {
    const small = { SAMPLES_PER_UPDATE: '12', BATCH_SIZE: '3' };
    expect(run('train.sh', ['c', out, '2'], small).stdout).toContain('training.batchSize=3 training.accumulation=2');
    const refused = run('train.sh', ['c', out, '3'], small);
    expect([refused.code, refused.stdout]).toEqual([2, '']);
    expect(refused.stderr).toMatch(/12 samples an update are not a multiple of 3 processes × 3 samples/);
  });

  test.each([[['config', 'out']], [['config', 'out', 'many']], [['config', 'out', '0']]])(
    '%j: says how it is used',
    (args) => {
      expect(run('train.sh', args)).toMatchObject({
        code: 2,
        stdout: '',
        stderr: expect.stringMatching(/CONFIG OUT GPUS/),
      });
    },
  );
});

describe('bin/train-slurm.sh', () => {
  const job = { SLURM_NTASKS: '16', SLURM_JOB_ID: '7', SLURM_SUBMIT_DIR: '/project' };

  test('starts all ranks by srun, with as many micro-batches as make 160 samples', () => {
    expect(run('train-slurm.sh', ['c.json5', out, '--tensorboard', 'events'], job).stdout).toBe(
      `srun --mpi=pmix --kill-on-bad-exit=1 node /project/bin/gsva.js train --config c.json5 --out ${out} ` +
        '--resume auto --set training.batchSize=2 training.accumulation=5 --tensorboard events',
    );
  });

  test('outside of a job it says how it is submitted', () => {
    expect(run('train-slurm.sh', ['c.json5', out])).toMatchObject({ code: 2, stderr: expect.stringMatching(/sbatch/) });
  });

  test("a failure is the job's, and it is not queued again", () => {
    program('srun', 'exit 5');
    program('scontrol', 'echo scontrol "$@" >> "$CALLS"');
    expect(run('train-slurm.sh', ['c.json5', out], job).code).toBe(5);
    expect(existsSync(calls)).toBe(false);
  });

  test('when its time is over, the ranks are told, it waits for them, and the job is queued again', async () => {
    program('srun', `trap 'sleep 0.3; echo saved >> "$CALLS"; exit 0' USR2\necho started >> "$CALLS"\nsleep 60 & wait`);
    program('scontrol', 'echo scontrol "$@" >> "$CALLS"');
    const child = spawn(resolve('bin', 'train-slurm.sh'), ['c.json5', out], {
      env: { ...env, ...job },
      stdio: 'ignore',
    });
    const ended = new Promise((done) => child.on('exit', done));
    while (!existsSync(calls)) await sleep(20);
    child.kill('SIGUSR2');
    expect(await ended).toBe(0);
    expect(readFileSync(calls, 'utf8')).toBe('started\nsaved\nscontrol requeue 7\n');
  });
});
