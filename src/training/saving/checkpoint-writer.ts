/**
 * Writes checkpoints while training goes on: the state is copied (weights on rank 0, on each rank its moments) and a
 * thread writes it; the next checkpoint waits, so there is one copy at most. Ranks write into one hidden folder; rank 0
 * moves it into place when all are done, which they exchange between updates.
 */
import { basename, join } from 'node:path';
import { messageOf } from '../../errors.js';
import { releaseDirectory, stageDirectory } from '../../io/atomic/atomic-file.js';
import { BackgroundWriter } from '../../io/atomic/background-writer.js';
import type { Publication } from '../../io/atomic/pending-file.js';
import type { Communicator } from '../distributed/communicator.js';
import type { OptimizerRule } from '../optimizer/optimizer-rule.js';
import { BEST, keptName, LAST, outdatedCheckpoints } from './run-folder.js';
import { checkpointFiles, type TrainingState } from './training-checkpoint.js';
import type { TrainingObserver } from '../watching/training-observer.js';
import type { TrainingTask } from '../loop/training-task.js';

/** The run that is saved, and who is notified. */
export interface CheckpointedRun<Sample> {
  readonly runDir: string;
  /** How many checkpoints stay besides `last` and `best`. */
  readonly keep: number;
  readonly task: TrainingTask<Sample>;
  readonly optimizer: OptimizerRule;
  readonly communicator: Communicator;
  readonly observer: TrainingObserver;
}

/** A checkpoint on its way to the disk. */
interface Pending {
  readonly update: number;
  /** On rank 0. */
  readonly publication: Publication | null;
  /** 'writing': this rank's part; 'written': it is there, others' may not be; 'publishing': all are, rank 0 moves them. */
  stage: 'writing' | 'written' | 'publishing' | 'published';
  /** The job under way; never rejects. */
  work: Promise<void>;
  error: Error | null;
}

export class CheckpointWriter<Sample> {
  private readonly writer = new BackgroundWriter();
  private pending: Pending | null = null;

  constructor(private readonly run: CheckpointedRun<Sample>) {}

  /** Whether this rank's part of a checkpoint is not on the disk yet. */
  get isWriting(): boolean {
    return this.pending?.stage === 'writing';
  }

  /** Writes the present state; returns once it is copied. Collective. @throws UserError, also for the one before */
  async save(state: TrainingState, isBest: boolean): Promise<void> {
    const { runDir, keep, task, optimizer, communicator } = this.run;
    await this.finish();
    await communicator.duringLongWork(async () => {
      const files = await checkpointFiles(state, optimizer, task, communicator);
      // `best` comes first: after `last`, which tells of it, it would be lost if the run were killed in between.
      const names = [...(isBest ? [BEST] : []), LAST, ...(keep > 0 ? [keptName(state.update)] : [])];
      const publication = communicator.rank === 0 ? stage(runDir, names, state.update, keep) : null;
      const [dir = ''] = await communicator.textsOf(publication?.folders[0]?.path ?? '');
      const isAlone = communicator.size === 1;
      const pending: Pending = {
        ...{ update: state.update, publication, stage: 'writing', error: null },
        work: Promise.resolve(),
      };
      this.pending = pending;
      this.start(pending, { dir, files, publication: isAlone ? publication : null }, isAlone ? 'published' : 'written');
    });
  }

  /** Goes on writing without waiting. Collective. @param anyIsWriting on any rank @throws UserError naming the file */
  advance(anyIsWriting: boolean): void {
    const { pending } = this;
    if (pending === null) return;
    if (pending.error !== null) throw this.giveUp(pending.error);
    if (pending.stage === 'written' && !anyIsWriting) this.publish(pending);
    if (pending.stage === 'published') this.conclude(pending);
  }

  /** Waits until the checkpoint under way is there. Collective. @throws as `advance` */
  async finish(): Promise<void> {
    const { pending } = this;
    if (pending === null) return;
    const { communicator } = this.run;
    await communicator.duringLongWork(() => pending.work);
    if (pending.error === null && pending.stage === 'written') {
      await communicator.barrier();
      this.publish(pending);
      await communicator.duringLongWork(() => pending.work);
    }
    if (pending.error !== null) throw this.giveUp(pending.error);
    this.conclude(pending);
  }

  /** Waits for this process's writing and ends the thread; a checkpoint that other ranks have not finished is given up. */
  async close(): Promise<void> {
    const { pending } = this;
    await pending?.work;
    try {
      if (pending?.stage === 'published') this.conclude(pending);
      else this.release();
    } catch {
      // Other ranks are writing still: the next start removes it. What ended this run is said instead.
    }
    await this.writer.close();
  }

  private publish(pending: Pending): void {
    pending.stage = 'publishing';
    const { publication } = pending;
    if (publication === null) pending.stage = 'published';
    else this.start(pending, { dir: '', files: [], publication }, 'published');
  }

  private start(pending: Pending, job: Parameters<BackgroundWriter['run']>[0], next: Pending['stage']): void {
    pending.work = this.writer.run(job).then(
      () => {
        pending.stage = next;
      },
      (error: unknown) => {
        pending.error = error instanceof Error ? error : new Error(messageOf(error));
      },
    );
  }

  private conclude({ update, publication }: Pending): void {
    this.release();
    for (const { final: dir } of publication?.folders ?? []) {
      const name = basename(dir);
      const kind = name === LAST || name === BEST ? name : 'update';
      this.run.observer.onCheckpoint?.({ dir, kind, update });
    }
  }

  private giveUp(error: Error): Error {
    this.release();
    return error;
  }

  private release(): void {
    for (const folder of this.pending?.publication?.folders ?? []) releaseDirectory(folder);
    this.pending = null;
  }
}

function stage(runDir: string, names: readonly string[], update: number, keep: number): Publication {
  const folders = [];
  try {
    for (const name of names) folders.push(stageDirectory(join(runDir, name)));
    return { folders, outdated: outdatedCheckpoints(runDir, update, keep) };
  } catch (error) {
    folders.forEach(releaseDirectory);
    throw error;
  }
}
