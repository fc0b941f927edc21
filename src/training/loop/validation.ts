/** Validation during a training: made on rank 0, known to all ranks; the best so far is chosen by one of its figures. */
import type { Abortable } from '../../abortable.js';
import { UserError } from '../../errors.js';
import { figuresOfFirst } from '../distributed/agreement.js';
import type { Communicator } from '../distributed/communicator.js';
import type { TrainingConfig } from '../config/training-config.js';
import type { BestResult } from '../watching/run-log.js';
import type { TrainingTask } from './training-task.js';

export type Figures = Readonly<Record<string, number>>;

/** The figures, while the other ranks wait; null where the task has none or the signal cut it short. Collective. */
export async function validationFigures<Sample>(
  task: TrainingTask<Sample>,
  communicator: Communicator,
  signal: Abortable | undefined,
): Promise<Figures | null> {
  if (task.validate === undefined) return null;
  let figures: Figures | null = null;
  try {
    if (communicator.rank === 0)
      figures = (await communicator.duringLongWork(async () => task.validate?.(signal))) ?? null;
  } catch (error) {
    if (signal?.aborted !== true) throw error;
  }
  // Cut short, they are not those of the whole set; the resumed run validates again.
  return figuresOfFirst(communicator, signal?.aborted === true ? null : figures);
}

/** `best` unless these figures are better by `metric` (undefined: never). @throws UserError for an unknown metric */
export function betterOf(
  best: BestResult | null,
  figures: Figures,
  update: number,
  metric: TrainingConfig['bestMetric'],
): BestResult | null {
  if (metric === undefined) return best;
  const { name, mode } = metric;
  const value = figures[name];
  if (value === undefined) {
    throw new UserError(
      `Validation gave no figure "${name}" by which to choose the best checkpoint, only ` +
        `${Object.keys(figures).join(', ')}. Correct bestMetric in the configuration.`,
    );
  }
  if (!Number.isFinite(value)) return best;
  const isBetter = best?.metric !== name || (mode === 'max' ? value > best.value : value < best.value);
  return isBetter ? { metric: name, value, update } : best;
}
