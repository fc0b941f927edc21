/**
 * kill -9 at a hundred random moments of one training: every checkpoint that is there loads and is the one that was
 * written, nothing that was reported as complete is lost, and what half-written checkpoints left is removed.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { watch } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Random } from '../../../src/random.js';
import { AdamW } from '../../../src/training/optimizer/optimizer.js';
import { checkpointNames } from '../../../src/training/saving/run-folder.js';
import { loadCheckpoint } from '../../../src/training/saving/training-checkpoint.js';
import { DriftTask, driftOptions } from '../../helpers/drift-task.js';
import { newRunDir, useEngine } from '../toy-tasks.js';

const KILLS = 100;
/** Processes that are started ahead: most of their life is the start. */
const AHEAD = 3;
/** Several checkpoints are written in this time. */
const LONGEST_WAIT_MS = 60;
const LONGEST_WRITING_MS = 6;

/** A training process: what it said, line by line, as words. */
class TrainingProcess {
  readonly lines: string[][] = [];
  private readonly child: ChildProcess;
  private readonly closed: Promise<unknown>;
  private heard: () => void = () => undefined;

  constructor(runDir: string) {
    const program = resolve('test', 'helpers', 'training-process.cjs');
    const child = spawn(process.execPath, [program, runDir], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.child = child;
    this.closed = once(child, 'close');
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.lines.push(line.split(' '));
      this.heard();
    });
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Waits for the first line of a kind. */
  async said(kind: string): Promise<readonly string[]> {
    for (;;) {
      const line = this.lines.find(([word]) => word === kind);
      if (line !== undefined) return line;
      if (this.child.exitCode !== null) throw new Error(`ended before it said ${kind}: ${JSON.stringify(this.lines)}`);
      await Promise.race([new Promise<void>((heard) => (this.heard = heard)), this.closed]);
    }
  }

  /** To be called when it is warm. */
  train(): void {
    this.child.stdin?.write('go\n');
  }

  /** All complete lines are in `lines` afterwards. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.closed;
  }
}

/** Waits until a hidden folder appears in a run's folder. */
async function writingBegins(runDir: string): Promise<void> {
  for await (const { filename } of watch(runDir)) if (filename?.startsWith('.') === true) return;
}

const processes: TrainingProcess[] = [];

function startProcess(runDir: string): TrainingProcess {
  const started = new TrainingProcess(runDir);
  processes.push(started);
  return started;
}

beforeAll(useEngine('cpu'));
afterAll(async () => {
  await Promise.all(processes.map((one) => one.kill()));
});

test('killed a hundred times, a training goes on from the last complete checkpoint each time', async () => {
  const runDir = newRunDir();
  const random = new Random(7);
  const digests = new Map<number, string>();
  const task = new DriftTask();
  const optimizer = new AdamW(task.variables, driftOptions().optimizer);
  const ahead = Array.from({ length: AHEAD }, () => startProcess(runDir));
  let complete = 0;
  let interrupted = 0;
  let left: string[] = [];

  for (let kill = 0; kill < KILLS; kill++) {
    const training = ahead.shift() as TrainingProcess;
    await training.said('warm');
    training.train();
    const [, from = ''] = await training.said('start');
    // What the one before had not finished is gone.
    expect(readdirSync(runDir).filter((name) => left.includes(name))).toEqual([]);
    expect(Number(from)).toBeGreaterThanOrEqual(complete);
    // Some before their first checkpoint is there, some later, most while one is written.
    const moment = random.uniform();
    if (moment < 0.4) await wait(random.integer(LONGEST_WAIT_MS));
    if (moment > 0.2) await training.said('checkpoint');
    if (moment > 0.4) await writingBegins(runDir);
    await wait(random.integer(moment > 0.4 ? LONGEST_WRITING_MS : LONGEST_WAIT_MS));
    await training.kill();
    if (kill + AHEAD < KILLS) ahead.push(startProcess(runDir));

    for (const [kind, update = '', what = ''] of training.lines) {
      if (kind === 'message') expect([update, what]).not.toContain('used:');
      if (kind === 'checkpoint') complete = Math.max(complete, Number(update));
      // However often it was interrupted, the training is one and the same.
      if ((kind === 'start' || kind === 'update') && what.length === 16) {
        expect([update, what]).toEqual([update, digests.get(Number(update)) ?? what]);
        digests.set(Number(update), what);
      }
    }
    left = readdirSync(runDir).filter((name) => name.includes(`-${training.pid}-`));
    if (left.length > 0) interrupted++;
    const found: number[] = [];
    for (const name of checkpointNames(runDir)) {
      const { update } = await loadCheckpoint(join(runDir, name), optimizer, task);
      expect([name, update, task.digest()]).toEqual([name, update, digests.get(update)]);
      found.push(update);
    }
    // Between two renames `last` itself is aside, complete.
    if (existsSync(join(runDir, 'last'))) expect(Math.max(...found)).toBeGreaterThanOrEqual(complete);
    expect(found.length).toBeLessThanOrEqual(4);
  }
  optimizer.dispose();
  task.dispose();
  expect(complete).toBeGreaterThan(KILLS / 4);
  expect(interrupted).toBeGreaterThan(KILLS / 5);
  process.stderr.write(`killed ${KILLS} times: ${interrupted} within writing, ${complete} updates kept\n`);
}, 300_000);
