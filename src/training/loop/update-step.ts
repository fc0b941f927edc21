/** One update of the weights: micro-batches, the mean or sum of their gradients, the checks before it is applied. */
import type { Abortable } from '../../abortable.js';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { culpritText } from '../../checkpoints/not-finite.js';
import * as tf from '../../engine/tf.js';
import { UserError } from '../../errors.js';
import { countsText, findNotFinite } from '../../finite.js';
import { TOTAL_LOSS } from '../../nn/loss-parts.js';
import type { Random } from '../../random.js';
import { inNetworkOrder, type Part, partTitle, watchedPartOf } from '../../checkpoints/parts.js';
import { meanLosses } from '../distributed/agreement.js';
import type { Accumulate } from '../config/training-config.js';
import type { Communicator } from '../distributed/communicator.js';
import type { OptimizerRule } from '../optimizer/optimizer-rule.js';
import { addSquares, type NamedSquares, NO_SQUARES, type UpdateSquares } from '../optimizer/update-squares.js';
import type { PartFigures } from '../watching/run-log.js';
import { GradientAccumulator } from './gradient-accumulator.js';
import type { SampleSupply } from './sample-queue.js';
import type { TrainingTask } from './training-task.js';

/** @param squares of every trained variable @returns by part, in their order; NaN for a ratio of weights all zero */
export function partFigures(squares: NamedSquares, table: readonly Part[] = []) {
  const parts = new Map<string, UpdateSquares>();
  for (const [name, own] of squares) {
    const part = watchedPartOf(table, name);
    parts.set(part, addSquares(parts.get(part) ?? NO_SQUARES, own));
  }
  return Object.fromEntries(
    [...parts].map(([part, { gradient, weights, change }]) => [
      part,
      { gradNorm: Math.sqrt(gradient), updateRatio: weights > 0 ? Math.sqrt(change / weights) : NaN },
    ]),
  );
}

/** @param culprit sentences that name the part at fault; '' where there is nothing to name */
function notFinite(update: number, what: string, names: readonly string[], culprit: string): UserError {
  return new UserError(
    `Training stopped in update ${update + 1}: ${what}, with the samples ${names.join(', ')}. The weights are as ` +
      `before this update. ${culprit === '' ? '' : `${culprit} `}Look at these samples, or lower the learning rate and ` +
      'continue from the last checkpoint.',
    'not-finite',
  );
}

/** The part of the network that made a loss that is not finite: the micro-batch is computed again. */
export async function culpritOfLoss<Sample>(task: TrainingTask<Sample>, batch: readonly Sample[], random: Random) {
  if (task.network === undefined) return '';
  const text = await culpritText(task.network, async () => {
    const { gradients } = await task.forwardBackward(batch, random);
    tf.dispose([...gradients.values()]);
  });
  return `${text}.`;
}

/** The gradients that are not finite, the first on the way back named. */
async function culpritOfGradients(gradients: ReadonlyMap<string, tf.Tensor>, parts: readonly Part[] = []) {
  const bad = new Map<string, string>();
  for (const [name, gradient] of gradients) {
    const found = findNotFinite(await gradient.data<'float32'>());
    if (found !== null) bad.set(name, `${countsText(found)} of ${found.size} numbers`);
  }
  const first = inNetworkOrder(parts, bad.keys()).at(-1);
  if (first === undefined)
    return 'The gradients of this process are finite one by one: their squares, or those of another process, are not.';
  const more = bad.size === 1 ? '' : `, and ${bad.size - 1} more gradients`;
  const part = partTitle(parts, first);
  const title = part === first ? '' : `${part}: `;
  return `The losses are finite; the first gradient on the way back that is not is that of ${title}${first} (${bad.get(first) ?? ''})${more}.`;
}

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
  /** Global norm of the gradient, as the update takes it, before clipping. */
  readonly gradNorm: number;
  /** Samples that took part, on all ranks. */
  readonly samples: number;
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
    /** Mean or sum of this rank's micro-batches; over ranks it is the mean. */
    private readonly accumulate: Accumulate = 'mean',
  ) {}

  /**
   * All ranks call it; an update that has begun is then completed.
   * @returns null, nothing changed, when aborted @throws UserError naming samples and part where a loss or gradient is
   * not finite
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
      const scale = 1 / ((this.accumulate === 'sum' ? 1 : this.accumulation) * size);
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
  private async microBatch(request: UpdateRequest<Sample>, i: number, sum: GradientAccumulator) {
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
