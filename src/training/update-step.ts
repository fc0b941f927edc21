/** One update of the weights: micro-batches, their mean gradient, the checks before it is applied. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { UserError } from '../errors.js';
import type { Random } from '../random.js';
import { GradientAccumulator } from './gradient-accumulator.js';
import type { AdamW } from './optimizer.js';
import { TOTAL_LOSS, type TrainingTask } from './training-task.js';

/** What one update works with. */
export interface UpdateRequest<Sample> {
  /** Updates done before this one. */
  readonly update: number;
  readonly learningRate: number;
  /** Gives the next sample; it is released here. */
  readonly next: () => Promise<Sample>;
  /** From which the generator of each micro-batch is forked. */
  readonly random: Random;
  readonly signal: AbortSignal | undefined;
}

export interface UpdateResult {
  /** Mean of each loss over the micro-batches. */
  readonly losses: Readonly<Record<string, number>>;
  /** Global norm of the mean gradient before clipping. */
  readonly gradNorm: number;
  /** Samples that took part. */
  readonly samples: number;
}

export class UpdateStep<Sample> {
  constructor(
    private readonly task: TrainingTask<Sample>,
    private readonly optimizer: AdamW,
    private readonly batchSize: number,
    private readonly accumulation: number,
  ) {}

  /**
   * @returns null, with nothing changed, when the signal was aborted on the way
   * @throws UserError that names the samples when a loss or gradient is not finite; nothing is changed then
   */
  async run(request: UpdateRequest<Sample>): Promise<UpdateResult | null> {
    const sum = new GradientAccumulator(this.task.variables, this.accumulation);
    const names: string[] = [];
    try {
      for (let i = 0; i < this.accumulation; i++) {
        // Forward and backward block the thread; here timers, file reads and SIGINT get their turn.
        await nextTurn();
        if (request.signal?.aborted === true) return null;
        names.push(...(await this.microBatch(request, i, sum)));
      }
      const scale = 1 / this.accumulation;
      const gradNorm = await this.optimizer.globalNorm(sum.gradients, scale);
      if (!Number.isFinite(gradNorm))
        throw notFinite(request.update, `the norm of the gradients is ${gradNorm}`, names);
      this.optimizer.apply(sum.gradients, request.learningRate, gradNorm, scale);
      return { losses: sum.losses, gradNorm, samples: names.length };
    } finally {
      sum.dispose();
    }
  }

  /** Adds micro-batch `i` to `sum`; the names of its samples. */
  private async microBatch(
    request: UpdateRequest<Sample>,
    i: number,
    sum: GradientAccumulator,
  ): Promise<readonly string[]> {
    const batch: Sample[] = [];
    try {
      while (batch.length < this.batchSize) batch.push(await request.next());
      const names = batch.map((sample) => this.task.nameOf(sample));
      const random = request.random.fork(request.update * this.accumulation + i);
      const result = await this.task.forwardBackward(batch, random);
      sum.add(result);
      const losses = Object.entries(result.losses);
      if (result.losses[TOTAL_LOSS] === undefined)
        throw new Error(`forwardBackward gave no loss named "${TOTAL_LOSS}"`);
      if (!losses.every(([, value]) => Number.isFinite(value))) {
        const figures = losses.map(([name, value]) => `${name} = ${value}`).join(', ');
        throw notFinite(request.update, `a loss is not a finite number (${figures})`, names);
      }
      return names;
    } finally {
      for (const sample of batch) this.task.release?.(sample);
    }
  }
}

function notFinite(update: number, what: string, names: readonly string[]): UserError {
  return new UserError(
    `Training stopped in update ${update + 1}: ${what}, with the samples ${names.join(', ')}. The weights are as ` +
      'before this update. Look at these samples, or lower the learning rate and continue from the last checkpoint.',
  );
}
