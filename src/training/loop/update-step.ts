/** One update of the weights: micro-batches, their mean gradient, the checks before it is applied. */
import type { Abortable } from '../../abortable.js';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Random } from '../../random.js';
import { meanLosses } from '../distributed/agreement.js';
import type { Communicator } from '../distributed/communicator.js';
import { GradientAccumulator } from './gradient-accumulator.js';
import { culpritOfGradients, culpritOfLoss, notFinite } from './not-finite-update.js';
import type { OptimizerRule } from '../optimizer/optimizer-rule.js';
import { partFigures } from '../watching/part-figures.js';
import type { PartFigures } from '../watching/run-log.js';
import type { SampleSupply } from './sample-supply.js';
import { TOTAL_LOSS } from '../../nn/loss-parts.js';
import type { TrainingTask } from './training-task.js';

/** What one update works with. */
export interface UpdateRequest<Sample> {
  /** Updates done before this one. */
  readonly update: number;
  readonly learningRate: number;
  /** Samples that are taken are released here. */
  readonly samples: SampleSupply<Sample>;
  /** From which the generator of each micro-batch is forked. */
  readonly random: Random;
  readonly signal: Abortable | undefined;
  /** Whether gradients and changes of the parts are measured. */
  readonly isWatched?: boolean;
}

export interface UpdateResult {
  /** Mean of each loss over the micro-batches of all ranks. */
  readonly losses: Readonly<Record<string, number>>;
  /** Global norm of the mean gradient before clipping. */
  readonly gradNorm: number;
  /** Samples that took part, on all ranks. */
  readonly samples: number;
  /** Where the update was watched. */
  readonly parts?: Readonly<Record<string, PartFigures>>;
}

export class UpdateStep<Sample> {
  constructor(
    private readonly task: TrainingTask<Sample>,
    private readonly optimizer: OptimizerRule,
    private readonly batchSize: number,
    /** Micro-batches of this rank. */
    private readonly accumulation: number,
    private readonly communicator: Communicator,
  ) {}

  /**
   * Of several ranks, all call it; then an update that has begun is not given up.
   * @returns null, with nothing changed, when the signal was aborted on the way
   * @throws UserError that names the samples, and the part of the network, when a loss or gradient is not finite; nothing
   *   is changed then
   */
  async run(request: UpdateRequest<Sample>): Promise<UpdateResult | null> {
    const sum = new GradientAccumulator(this.task.variables, this.accumulation);
    const names: string[] = [];
    const { size } = this.communicator;
    try {
      for (let i = 0; i < this.accumulation; i++) {
        // Forward and backward block the thread; here timers, file reads and SIGINT get their turn.
        await nextTurn();
        if (request.signal?.aborted === true && size === 1) return null;
        this.communicator.progress(request.update);
        names.push(...(await this.microBatch(request, i, sum)));
      }
      await request.samples.endUpdate();
      const scale = 1 / (this.accumulation * size);
      const gradNorm = await this.optimizer.globalNorm(sum.gradients, scale);
      if (!Number.isFinite(gradNorm)) {
        const all = await this.communicator.textsOf(names.join(', '));
        const culprit = await culpritOfGradients(sum.gradients, this.task.network?.parts);
        throw notFinite(request.update, `the norm of the gradients is ${gradNorm}`, all, culprit);
      }
      const { learningRate, isWatched = false } = request;
      await this.optimizer.apply(sum.gradients, learningRate, gradNorm, scale);
      const squares = isWatched ? await this.optimizer.updateSquares(sum.gradients, learningRate, scale) : null;
      const watched = squares === null ? {} : { parts: partFigures(squares, this.task.network?.parts) };
      const losses = await meanLosses(this.communicator, sum.lossSums);
      return { losses, gradNorm, samples: names.length * size, ...watched };
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
      while (batch.length < this.batchSize) batch.push(await request.samples.next());
      const names = batch.map((sample) => this.task.nameOf(sample));
      const { rank, size } = this.communicator;
      // As one process numbers them that makes the micro-batches of all ranks.
      const draws = (): Random => request.random.fork((request.update * this.accumulation + i) * size + rank);
      const result = await this.task.forwardBackward(batch, draws());
      sum.add(result);
      const losses = Object.entries(result.losses);
      if (result.losses[TOTAL_LOSS] === undefined)
        throw new Error(`forwardBackward gave no loss named "${TOTAL_LOSS}"`);
      if (!losses.every(([, value]) => Number.isFinite(value))) {
        const figures = losses.map(([name, value]) => `${name} = ${value}`).join(', ');
        const culprit = await culpritOfLoss(this.task, batch, draws());
        throw notFinite(request.update, `a loss is not a finite number (${figures})`, names, culprit);
      }
      return names;
    } finally {
      for (const sample of batch) this.task.release?.(sample);
    }
  }
}
