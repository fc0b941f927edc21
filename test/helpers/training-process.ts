/**
 * A process that trains something small until it is killed (started as training-process.cjs, with the run's folder).
 * When it is warm it says so and waits for a line; then it goes on with that run, and says which checkpoint it goes on
 * from, each update with the digest of the weights, and each checkpoint that is complete.
 */
import { once } from 'node:events';
import { startEngine } from '../../src/engine/engine.js';
import { Trainer } from '../../src/training/loop/trainer.js';
import type { TrainingObserver } from '../../src/training/watching/training-observer.js';
import { DriftTask, driftOptions } from './drift-task.js';

async function main(runDir: string): Promise<void> {
  await startEngine({ engine: 'cpu' });
  const say = (...words: (string | number)[]): void => void process.stdout.write(`${words.join(' ')}\n`);
  const task = new DriftTask();
  const observer: TrainingObserver = {
    onStart: ({ update }) => {
      say('start', update, task.digest());
    },
    onUpdate: ({ update }) => {
      say('update', update, task.digest());
    },
    onCheckpoint: ({ kind, update }) => {
      say('checkpoint', update, kind);
    },
    onMessage: (message) => {
      say('message', message);
    },
  };
  const trainer = new Trainer(task, driftOptions(), { runDir, resume: 'auto', observer });
  say('warm');
  await once(process.stdin, 'data');
  await trainer.run();
}

void main(process.argv[2] ?? '');
