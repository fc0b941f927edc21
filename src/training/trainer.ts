/**
 * The training loop: draws samples, makes updates, validates, keeps checkpoints and a log.
 *
 * It knows no model (see training-task.ts) and draws no bars (see training-observer.ts). Everything random comes from
 * the seed and from counters that the checkpoint holds, so that a resumed run continues with the identical next loss.
 * A run's folder has `last/` and `best/` (see training-checkpoint.ts) and `log.jsonl` (see run-log.ts).
 */
import { join } from 'node:path';
import * as tf from '../engine/tf.js';
import { UserError, messageOf } from '../errors.js';
import { Random } from '../random.js';
import { AdamW } from './optimizer.js';
import { RunLog, type TrainingEnd, type UpdateRecord } from './run-log.js';
import { SampleQueue } from './sample-queue.js';
import { Schedule } from './schedule.js';
import { checkTrainerOptions, type TrainerEnvironment, type TrainerOptions } from './trainer-options.js';
import { hasCheckpoint, loadCheckpoint, saveCheckpoint, type TrainingState } from './training-checkpoint.js';
import type { TrainingObserver } from './training-observer.js';
import type { TrainingTask } from './training-task.js';
import { UpdateStep, type UpdateResult } from './update-step.js';

export class Trainer<Sample> {
  private readonly schedule: Schedule;
  private readonly optimizer: AdamW;
  private readonly observer: TrainingObserver;
  private readonly now: () => number;
  private readonly lastDir: string;
  private state: TrainingState;
  /** Clock reading at which the run would have begun had it never been interrupted. */
  private startedAt = 0;
  /** Update of the checkpoint in `last`, -1 while there is none. */
  private savedAt = -1;

  /** Allocates the optimiser's moments; `run` frees them. */
  constructor(
    private readonly task: TrainingTask<Sample>,
    private readonly options: TrainerOptions,
    private readonly environment: TrainerEnvironment,
  ) {
    checkTrainerOptions(options, task);
    this.schedule = new Schedule(options.schedule);
    this.observer = environment.observer ?? {};
    this.now = environment.now ?? ((): number => performance.now() / 1000);
    this.lastDir = join(environment.runDir, 'last');
    this.state = {
      update: 0,
      position: 0,
      elapsedSeconds: 0,
      seed: options.seed,
      random: new Random(options.seed).state,
      sampleCount: task.sampleCount,
      batchSize: options.batchSize,
      accumulation: options.accumulation,
      schedule: options.schedule,
      validatedAt: 0,
      best: null,
    };
    this.optimizer = new AdamW(task.variables, options.optimizer);
  }

  /**
   * Trains to the end of the schedule, or until the signal is aborted; then `last` holds the final state. A run bound
   * by time ends with the update (and the last validation) during which its minutes are over. To be called once.
   * @throws UserError for a loss or gradient that is not finite (the weights are as before that update), a run folder
   *   that cannot be used, a checkpoint that does not fit
   */
  async run(): Promise<TrainingEnd> {
    try {
      const { runDir, header = {}, resume = false } = this.environment;
      if (resume) await this.resume();
      else this.refuseToOverwrite();
      this.startedAt = this.now() - this.state.elapsedSeconds;
      const logPath = join(runDir, 'log.jsonl');
      const log = resume ? RunLog.resume(logPath, header, this.state.update) : RunLog.create(logPath, header);
      try {
        this.observer.onStart?.({ update: this.state.update });
        return await this.loop(log);
      } catch (error) {
        log.append({ type: 'error', update: this.state.update, message: messageOf(error) });
        throw error;
      } finally {
        log.close();
      }
    } finally {
      this.optimizer.dispose();
    }
  }

  private refuseToOverwrite(): void {
    const { runDir } = this.environment;
    if (!hasCheckpoint(this.lastDir) && !hasCheckpoint(join(runDir, 'best'))) return;
    throw new UserError(
      `Cannot start training in ${runDir}: it holds a run already. Continue that run with --resume, or choose ` +
        'another folder.',
    );
  }

  /** Takes over the checkpoint in `last`; what this run asks for differently is refused or said. */
  private async resume(): Promise<void> {
    if (!hasCheckpoint(this.lastDir)) {
      throw new UserError(`Cannot resume training: there is no checkpoint at ${this.lastDir}. Start without --resume.`);
    }
    const saved = await loadCheckpoint(this.lastDir, this.optimizer, this.task, ({ seed, sampleCount }) => {
      if (seed === this.state.seed && sampleCount === this.state.sampleCount) return;
      throw new UserError(
        `Cannot continue training from ${this.lastDir}: it was made with seed ${seed} and ${sampleCount} samples, ` +
          `this run has seed ${this.state.seed} and ${this.state.sampleCount}, so the data would come in another ` +
          'order. Use the same configuration and data.',
      );
    });
    const { batchSize, accumulation, schedule } = this.state;
    for (const [key, now] of Object.entries({ batchSize, accumulation, schedule })) {
      const before = JSON.stringify(saved[key as 'batchSize' | 'accumulation' | 'schedule']);
      if (before === JSON.stringify(now)) continue;
      this.observer.onMessage?.(`The run was saved with ${key} ${before}; it goes on with ${JSON.stringify(now)}.`);
    }
    this.state = { ...saved, batchSize, accumulation, schedule };
    this.savedAt = saved.update;
    this.observer.onMessage?.(`Continuing from ${this.lastDir} after update ${saved.update}.`);
  }

  private async loop(log: RunLog): Promise<TrainingEnd> {
    const { signal } = this.environment;
    const { batchSize, accumulation, validateEvery, checkpointEvery } = this.options;
    const random = Random.fromState(this.state.random);
    const queue = this.startQueue(random.fork(0));
    const step = new UpdateStep(this.task, this.optimizer, batchSize, accumulation);
    const next = (): Promise<Sample> => queue.next();
    try {
      // After an interruption: what was due then.
      if (this.isDue(validateEvery)) await this.validate(log);
      let reason = this.endReason();
      while (reason === null) {
        const began = this.now();
        const { update } = this.state;
        const learningRate = this.schedule.learningRateAt(update, this.elapsed());
        const result = await step.run({ update, learningRate, next, random: random.fork(1), signal });
        if (result !== null) {
          this.finishUpdate(log, result, queue.position, learningRate, began);
          if (this.isDue(validateEvery)) await this.validate(log);
          if (this.isDue(checkpointEvery) && this.savedAt !== this.state.update) await this.save('last');
        }
        reason = this.endReason();
      }
      if (reason !== 'aborted' && validateEvery > 0) await this.validate(log);
      if (this.savedAt !== this.state.update) await this.save('last');
      const { update, best } = this.state;
      const end: TrainingEnd = { type: 'end', update, reason, elapsedSeconds: this.elapsed(), best };
      log.append(end);
      this.observer.onEnd?.(end);
      return end;
    } finally {
      await queue.close();
    }
  }

  private endReason(): TrainingEnd['reason'] | null {
    if (this.environment.signal?.aborted === true) return 'aborted';
    return this.schedule.endReason(this.state.update, this.elapsed());
  }

  private startQueue(random: Random): SampleQueue<Sample> {
    const { batchSize, accumulation, schedule, prefetch } = this.options;
    const { position, update } = this.state;
    const count = Math.max(0, schedule.totalUpdates - update) * batchSize * accumulation;
    return new SampleQueue(this.task, random, position, count, prefetch, (message) => {
      this.observer.onMessage?.(message);
    });
  }

  private finishUpdate(log: RunLog, result: UpdateResult, position: number, learningRate: number, began: number): void {
    const update = this.state.update + 1;
    this.state = { ...this.state, update, position };
    const seconds = this.now() - began;
    const elapsedSeconds = this.elapsed();
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
    };
    log.append(record);
    const fraction = this.schedule.fractionAt(update, elapsedSeconds);
    const remainingSeconds = (elapsedSeconds * (1 - fraction)) / fraction;
    const { totalUpdates } = this.options.schedule;
    this.observer.onUpdate?.(record, { update, totalUpdates, fraction, elapsedSeconds, remainingSeconds });
  }

  private isDue(every: number): boolean {
    return every > 0 && this.state.update > 0 && this.state.update % every === 0;
  }

  /** Validates unless that has been done after this very update; keeps the best. */
  private async validate(log: RunLog): Promise<void> {
    const { signal } = this.environment;
    const { update, position } = this.state;
    if (this.task.validate === undefined || this.state.validatedAt === update) return;
    const began = this.now();
    let metrics: Readonly<Record<string, number>>;
    try {
      metrics = await this.task.validate(signal);
    } catch (error) {
      if (signal?.aborted === true) return;
      throw error;
    }
    // Cut short, the figures are not those of the whole set; the resumed run validates again.
    if (signal?.aborted === true) return;
    const isBest = this.takeBest(metrics);
    this.state = { ...this.state, validatedAt: update };
    const seconds = this.now() - began;
    const epoch = position / this.task.sampleCount;
    const record = { type: 'validation', update, epoch, metrics, seconds, isBest } as const;
    log.append(record);
    this.observer.onValidation?.(record);
    if (isBest) await this.save('best');
    await this.save('last');
  }

  /** Whether these figures are the best so far; remembers them if so. */
  private takeBest(metrics: Readonly<Record<string, number>>): boolean {
    const { bestMetric } = this.options;
    if (bestMetric === undefined) return false;
    const { name, mode } = bestMetric;
    const value = metrics[name];
    if (value === undefined) {
      throw new UserError(
        `Validation gave no figure "${name}" by which to choose the best checkpoint, only ` +
          `${Object.keys(metrics).join(', ')}. Correct bestMetric in the configuration.`,
      );
    }
    if (!Number.isFinite(value)) return false;
    const { best, update } = this.state;
    const isBetter = best?.metric !== name || (mode === 'max' ? value > best.value : value < best.value);
    if (isBetter) this.state = { ...this.state, best: { metric: name, value, update } };
    return isBetter;
  }

  private async save(kind: 'last' | 'best'): Promise<void> {
    const dir = join(this.environment.runDir, kind);
    const { update } = this.state;
    this.state = { ...this.state, elapsedSeconds: this.elapsed() };
    await saveCheckpoint(dir, this.state, this.optimizer, this.task);
    if (kind === 'last') this.savedAt = update;
    this.observer.onCheckpoint?.({ dir, kind, update });
  }

  private elapsed(): number {
    return this.now() - this.startedAt;
  }
}
