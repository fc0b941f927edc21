/**
 * Training loop: draws samples, updates, validates, has checkpoints written and keeps a log; it knows no model
 * (training-task.ts). All randomness comes from the seed and from counters of the checkpoint, so a resumed run
 * continues with the identical next loss. Several processes may train together (distributed/); rank 0 writes
 * checkpoints (run-folder.ts) and `log.jsonl`.
 */
import { join } from 'node:path';
import * as tf from '../../engine/tf.js';
import { messageOf } from '../../errors.js';
import { Random } from '../../random.js';
import { type CheckpointedRun, CheckpointWriter } from '../saving/checkpoint-writer.js';
import { requireSame, sampledSum } from '../distributed/agreement.js';
import { type Communicator, SingleProcess } from '../distributed/communicator.js';
import { RankSamples } from '../distributed/rank-samples.js';
import { ShardedAdamW } from '../distributed/sharded-optimizer.js';
import { AdamW } from '../optimizer/optimizer.js';
import type { OptimizerRule } from '../optimizer/optimizer-rule.js';
import { startingPoint } from '../saving/resume.js';
import { readRunLog, RunLog, type TrainingEnd, type UpdateRecord } from '../watching/run-log.js';
import { SampleQueue, type SampleSupply } from './sample-queue.js';
import { Schedule } from './schedule.js';
import { checkTrainerOptions, type TrainerEnvironment, type TrainerOptions } from './trainer-options.js';
import type { TrainingState } from '../saving/training-checkpoint.js';
import type { TrainingObserver } from '../watching/training-observer.js';
import type { TrainingTask } from './training-task.js';
import { UpdateStep, type UpdateResult } from './update-step.js';
import { WATCH_EVERY } from '../config/training-config.js';
import { LearningWatch } from '../watching/learning-watch.js';
import { betterOf, validationFigures } from './validation.js';

/** Why a run ends, the strongest reason last: of several ranks, the one that has the strongest decides. */
const REASONS = [null, 'updates', 'time', 'aborted'] as const;

export class Trainer<Sample> {
  private readonly schedule: Schedule;
  private readonly optimizer: OptimizerRule;
  private readonly communicator: Communicator;
  private readonly observer: TrainingObserver;
  private readonly now: () => number;
  private readonly parts: CheckpointedRun<Sample>;
  private readonly checkpoints: CheckpointWriter<Sample>;
  /** Update of the last checkpoint, -1 while there is none. */
  private savedAt = -1;
  private state: TrainingState;
  /** Clock reading at which the run would have begun had it never been interrupted. */
  private startedAt = 0;
  private readonly watch: LearningWatch;

  /** Allocates the optimiser's moments; `run` frees them. */
  constructor(
    private readonly task: TrainingTask<Sample>,
    private readonly options: TrainerOptions,
    private readonly environment: TrainerEnvironment,
  ) {
    checkTrainerOptions(options, task);
    this.schedule = new Schedule(options.schedule);
    this.observer = environment.observer ?? {};
    this.watch = new LearningWatch(options.schedule.warmupUpdates, options.flatWindow);
    this.now = environment.now ?? ((): number => performance.now() / 1000);
    this.communicator = environment.communicator ?? new SingleProcess();
    this.state = {
      update: 0,
      position: 0,
      elapsedSeconds: 0,
      seed: options.seed,
      random: new Random(options.seed).state,
      sampleCount: task.sampleCount,
      batchSize: options.batchSize,
      accumulation: options.accumulation * this.communicator.size,
      schedule: options.schedule,
      validatedAt: 0,
      best: null,
    };
    this.optimizer =
      this.communicator.size === 1
        ? new AdamW(task.variables, options.optimizer)
        : new ShardedAdamW(task.variables, options.optimizer, this.communicator);
    const { optimizer, communicator, observer } = this;
    const { runDir } = environment;
    this.parts = { runDir, keep: options.keepCheckpoints ?? 0, task, optimizer, communicator, observer };
    this.checkpoints = new CheckpointWriter(this.parts);
  }

  /**
   * Trains to the end of the schedule or until aborted; `last` then holds the final state. To be called once.
   * @throws UserError for a loss or gradient that is not finite (the weights stay as before that update), a run folder
   * that cannot be used, a checkpoint that does not fit
   */
  async run(): Promise<TrainingEnd> {
    try {
      const { runDir, header = {}, resume = false } = this.environment;
      const saved = await startingPoint(this.parts, resume, this.state);
      if (saved !== null) this.state = saved;
      this.savedAt = saved?.update ?? -1;
      await this.requireSameStart();
      this.startedAt = this.now() - this.state.elapsedSeconds;
      const log = this.openLog(join(runDir, 'log.jsonl'), header, saved !== null);
      if (saved !== null && log !== null) this.watch.remember(readRunLog(log.path).records);
      try {
        this.observer.onStart?.({ update: this.state.update });
        return await this.loop(log);
      } catch (error) {
        log?.append({ type: 'error', update: this.state.update, message: messageOf(error) });
        throw error;
      } finally {
        log?.close();
      }
    } finally {
      await this.checkpoints.close();
      this.optimizer.dispose();
    }
  }

  /** Null on ranks that write none. */
  private openLog(path: string, header: Readonly<Record<string, unknown>>, isResumed: boolean): RunLog | null {
    if (this.communicator.rank > 0) return null;
    return isResumed ? RunLog.resume(path, header, this.state.update) : RunLog.create(path, header);
  }

  /** Ranks that start from different weights or data would train something that nobody asked for. */
  private async requireSameStart(): Promise<void> {
    if (this.communicator.size === 1) return;
    const { seed, update, position, sampleCount, batchSize, accumulation, schedule } = this.state;
    const trainable = this.task.variables.size;
    const weights = await sampledSum(this.task.variables.values());
    const facts = { seed, update, position, sampleCount, batchSize, accumulation, schedule, trainable, weights };
    await requireSame(this.communicator, facts);
  }

  private async loop(log: RunLog | null): Promise<TrainingEnd> {
    const { signal } = this.environment;
    const {
      batchSize,
      accumulation,
      accumulate,
      validateEvery,
      checkpointEvery,
      watchEvery = WATCH_EVERY,
    } = this.options;
    const random = Random.fromState(this.state.random);
    const samples = this.startSamples(random.fork(0));
    const step = new UpdateStep(this.task, this.optimizer, batchSize, accumulation, this.communicator, accumulate);
    try {
      // After an interruption: what was due then.
      if (this.isDue(validateEvery)) await this.validate(log);
      let { reason, elapsed } = await this.agreeOnEnd();
      while (reason === null) {
        const { sentBytes, exchangeSeconds } = this.communicator;
        const began = { time: this.now(), sentBytes, exchangeSeconds };
        const { update } = this.state;
        const learningRate = this.schedule.learningRateAt(update, elapsed);
        const isWatched = watchEvery > 0 && (update + 1) % watchEvery === 0;
        const result = await step.run({ update, learningRate, samples, random: random.fork(1), signal, isWatched });
        if (result !== null) {
          this.finishUpdate(log, result, samples.position, learningRate, began);
          if (this.isDue(validateEvery)) await this.validate(log);
          if (this.isDue(checkpointEvery) && this.savedAt !== this.state.update) await this.save();
        }
        ({ reason, elapsed } = await this.agreeOnEnd());
      }
      if (reason !== 'aborted' && validateEvery > 0) await this.validate(log);
      if (this.savedAt !== this.state.update) await this.save();
      await this.checkpoints.finish();
      const { update, best } = this.state;
      const end: TrainingEnd = { type: 'end', update, reason, elapsedSeconds: this.elapsed(), best };
      log?.append(end);
      this.observer.onEnd?.(end);
      return end;
    } finally {
      await samples.close();
    }
  }

  private endReason(): TrainingEnd['reason'] | null {
    if (this.environment.signal?.aborted === true) return 'aborted';
    return this.schedule.endReason(this.state.update, this.elapsed());
  }

  /** End before the next update, and clock of the learning rate, equal on all ranks, which exchange writing states. */
  private async agreeOnEnd(): Promise<{ reason: TrainingEnd['reason'] | null; elapsed: number }> {
    const own = [REASONS.indexOf(this.endReason()), this.elapsed(), Number(this.checkpoints.isWriting)];
    const [reason = 0, elapsed = 0, isWriting = 0] = await this.communicator.maxOf(own);
    this.checkpoints.advance(isWriting > 0);
    return { reason: REASONS[reason] ?? null, elapsed };
  }

  private startSamples(random: Random): SampleSupply<Sample> {
    const { batchSize, accumulation, schedule, prefetch } = this.options;
    const { position, update } = this.state;
    const updates = Math.max(0, schedule.totalUpdates - update);
    const report = (message: string): void => this.observer.onMessage?.(message);
    if (this.communicator.size === 1) {
      return new SampleQueue(this.task, random, position, updates * batchSize * accumulation, prefetch, report);
    }
    const options = { batchSize, accumulation, position, updates, depth: prefetch };
    return new RankSamples(this.task, random, options, this.communicator, report);
  }

  private finishUpdate(
    log: RunLog | null,
    result: UpdateResult,
    position: number,
    learningRate: number,
    began: Pick<Communicator, 'sentBytes' | 'exchangeSeconds'> & { readonly time: number },
  ): void {
    const update = this.state.update + 1;
    this.state = { ...this.state, update, position };
    const seconds = this.now() - began.time;
    const elapsedSeconds = this.elapsed();
    const { size, sentBytes, exchangeSeconds } = this.communicator;
    const sent = { sentBytes: sentBytes - began.sentBytes, exchangeSeconds: exchangeSeconds - began.exchangeSeconds };
    const record: UpdateRecord = {
      type: 'update',
      update,
      epoch: position / this.task.sampleCount,
      learningRate,
      losses: result.losses,
      gradNorm: result.gradNorm,
      seconds,
      elapsedSeconds,
      samplesPerSecond: result.samples / Math.max(seconds, 1e-9),
      numTensors: tf.memory().numTensors,
      ...(size === 1 ? {} : sent),
      ...(result.parts === undefined ? {} : { parts: result.parts }),
    };
    log?.append(record);
    const fraction = this.schedule.fractionAt(update, elapsedSeconds);
    const remainingSeconds = (elapsedSeconds * (1 - fraction)) / fraction;
    const { totalUpdates } = this.options.schedule;
    this.observer.onUpdate?.(record, { update, totalUpdates, fraction, elapsedSeconds, remainingSeconds });
    if (log === null) return;
    for (const alarm of this.watch.alarmsAfter(record)) {
      log.append(alarm);
      this.observer.onAlarm?.(alarm);
    }
  }

  private isDue(every: number): boolean {
    return every > 0 && this.state.update > 0 && this.state.update % every === 0;
  }

  /** Validates unless that has been done after this very update; keeps the best. */
  private async validate(log: RunLog | null): Promise<void> {
    const { update, position } = this.state;
    if (this.task.validate === undefined || this.state.validatedAt === update) return;
    const began = this.now();
    const metrics = await validationFigures(this.task, this.communicator, this.environment.signal);
    if (metrics === null) return;
    const best = betterOf(this.state.best, metrics, update, this.options.bestMetric);
    const isBest = best !== this.state.best;
    this.state = { ...this.state, validatedAt: update, best };
    const seconds = this.now() - began;
    const epoch = position / this.task.sampleCount;
    const record = { type: 'validation', update, epoch, metrics, seconds, isBest } as const;
    log?.append(record);
    this.observer.onValidation?.(record);
    await this.save(isBest);
  }

  private async save(isBest = false): Promise<void> {
    this.state = { ...this.state, elapsedSeconds: this.elapsed() };
    this.savedAt = this.state.update;
    await this.checkpoints.save(this.state, isBest);
  }

  private elapsed(): number {
    return this.now() - this.startedAt;
  }
}
