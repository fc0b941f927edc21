/** The checkpoints of a run's folder: `last/`, from which it is continued, and `best/` (see training-checkpoint.ts). */
import { join } from 'node:path';
import { UserError } from '../errors.js';
import type { Communicator } from './distributed/communicator.js';
import type { OptimizerRule } from './optimizer-rule.js';
import { hasCheckpoint, loadCheckpoint, saveCheckpoint, type TrainingState } from './training-checkpoint.js';
import type { TrainingObserver } from './training-observer.js';
import type { TrainingTask } from './training-task.js';

/** Whose checkpoints they are, and who is told of them. */
export interface CheckpointedRun<Sample> {
  readonly runDir: string;
  readonly task: TrainingTask<Sample>;
  readonly optimizer: OptimizerRule;
  readonly communicator: Communicator;
  readonly observer: TrainingObserver;
}

export class RunCheckpoints<Sample> {
  /** Update of the checkpoint in `last`, -1 while there is none. */
  savedAt = -1;
  private readonly lastDir: string;

  constructor(private readonly run: CheckpointedRun<Sample>) {
    this.lastDir = join(run.runDir, 'last');
  }

  /** Those whose writing was interrupted are put right by one process, before others look at them. Collective. */
  async recover(): Promise<void> {
    const { communicator, runDir } = this.run;
    if (communicator.rank === 0) for (const name of ['last', 'best']) hasCheckpoint(join(runDir, name));
    await communicator.barrier();
  }

  /** @throws UserError where a new run would lose an older one's checkpoints */
  refuseToOverwrite(): void {
    const { runDir } = this.run;
    if (!hasCheckpoint(this.lastDir) && !hasCheckpoint(join(runDir, 'best'))) return;
    throw new UserError(
      `Cannot start training in ${runDir}: it holds a run already. Continue that run with --resume, or choose ` +
        'another folder.',
    );
  }

  /**
   * Takes over the checkpoint in `last`.
   * @param wanted what this run would start with; what it asks for differently is refused or said
   */
  async resume(wanted: TrainingState): Promise<TrainingState> {
    const { task, optimizer, observer } = this.run;
    if (!hasCheckpoint(this.lastDir)) {
      throw new UserError(`Cannot resume training: there is no checkpoint at ${this.lastDir}. Start without --resume.`);
    }
    const saved = await loadCheckpoint(this.lastDir, optimizer, task, ({ seed, sampleCount }) => {
      if (seed === wanted.seed && sampleCount === wanted.sampleCount) return;
      throw new UserError(
        `Cannot continue training from ${this.lastDir}: it was made with seed ${seed} and ${sampleCount} samples, ` +
          `this run has seed ${wanted.seed} and ${wanted.sampleCount}, so the data would come in another ` +
          'order. Use the same configuration and data.',
      );
    });
    const { batchSize, accumulation, schedule } = wanted;
    for (const [key, now] of Object.entries({ batchSize, accumulation, schedule })) {
      const before = JSON.stringify(saved[key as 'batchSize' | 'accumulation' | 'schedule']);
      if (before === JSON.stringify(now)) continue;
      observer.onMessage?.(`The run was saved with ${key} ${before}; it goes on with ${JSON.stringify(now)}.`);
    }
    this.savedAt = saved.update;
    observer.onMessage?.(`Continuing from ${this.lastDir} after update ${saved.update}.`);
    return { ...saved, batchSize, accumulation, schedule };
  }

  /** Collective. */
  async save(kind: 'last' | 'best', state: TrainingState): Promise<void> {
    const { runDir, task, optimizer, communicator, observer } = this.run;
    const dir = join(runDir, kind);
    await communicator.duringLongWork(() => saveCheckpoint(dir, state, optimizer, task));
    if (kind === 'last') this.savedAt = state.update;
    observer.onCheckpoint?.({ dir, kind, update: state.update });
  }
}
