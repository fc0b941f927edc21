/** Why an update cannot be made: a loss or a gradient that is not finite, and the part of the network at fault. */
import * as tf from '../../engine/tf.js';
import { UserError } from '../../errors.js';
import { countsText, findNotFinite } from '../../finite.js';
import { culpritText } from '../../checkpoints/not-finite.js';
import type { Random } from '../../random.js';
import { inNetworkOrder, partTitle } from '../../checkpoints/parts.js';
import type { Part } from '../../checkpoints/parts.js';
import type { TrainingTask } from './training-task.js';

/** @param culprit sentences that name the part at fault; '' where there is nothing to name */
export function notFinite(update: number, what: string, names: readonly string[], culprit: string): UserError {
  return new UserError(
    `Training stopped in update ${update + 1}: ${what}, with the samples ${names.join(', ')}. The weights are as ` +
      `before this update. ${culprit === '' ? '' : `${culprit} `}Look at these samples, or lower the learning rate and ` +
      'continue from the last checkpoint.',
    'not-finite',
  );
}

/** The part of the network that made a loss that is not finite: the micro-batch is computed again. */
export async function culpritOfLoss<Sample>(
  task: TrainingTask<Sample>,
  batch: readonly Sample[],
  random: Random,
): Promise<string> {
  if (task.network === undefined) return '';
  const text = await culpritText(task.network, async () => {
    const { gradients } = await task.forwardBackward(batch, random);
    tf.dispose([...gradients.values()]);
  });
  return `${text}.`;
}

/** The gradients that are not finite, the first on the way back named. */
export async function culpritOfGradients(
  gradients: ReadonlyMap<string, tf.Tensor>,
  parts: readonly Part[] = [],
): Promise<string> {
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
