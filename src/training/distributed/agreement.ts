/** Agreement of all ranks, and the values that they exchange in addition to gradients. */
import * as tf from '../../engine/tf.js';
import { UserError } from '../../errors.js';
import type { Communicator } from './communicator.js';

/** A sum and how many numbers are in it. */
export interface LossSum {
  readonly sum: number;
  readonly count: number;
}

/** Mean of each loss over the micro-batches of all ranks that have it. Collective. */
export async function meanLosses(communicator: Communicator, sums: ReadonlyMap<string, LossSum>) {
  const total = new Map<string, LossSum>();
  for (const text of await communicator.textsOf(JSON.stringify([...sums]))) {
    for (const [name, { sum, count }] of JSON.parse(text) as [string, LossSum][]) {
      const before = total.get(name) ?? { sum: 0, count: 0 };
      total.set(name, { sum: before.sum + sum, count: before.count + count });
    }
  }
  return Object.fromEntries([...total].map(([name, { sum, count }]) => [name, sum / count]));
}

/** Figures that rank 0 has, everywhere; null where it has none. Collective. */
export async function figuresOfFirst(
  communicator: Communicator,
  figures: Readonly<Record<string, number>> | null,
): Promise<Readonly<Record<string, number>> | null> {
  // As texts: JSON knows no NaN.
  const own = figures === null ? null : Object.entries(figures).map(([name, value]) => [name, String(value)] as const);
  const [first = 'null'] = await communicator.textsOf(JSON.stringify(own));
  const read = JSON.parse(first) as [string, string][] | null;
  return read === null ? null : Object.fromEntries(read.map(([name, value]) => [name, Number(value)]));
}

/** Requires equal settings, data and weights. Collective. @throws UserError on every rank, naming what differs */
export async function requireSame(communicator: Communicator, facts: Readonly<Record<string, unknown>>): Promise<void> {
  const mine = Object.entries(facts).map(([name, value]) => [name, JSON.stringify(value)] as const);
  const own = JSON.stringify([communicator.hostName, Object.fromEntries(mine)]);
  const all = (await communicator.textsOf(own)).map((text) => JSON.parse(text) as [string, Record<string, string>]);
  const [first] = all;
  if (first === undefined) return;
  for (const [rank, [host, other]] of all.entries()) {
    const name = Object.keys(first[1]).find((key) => first[1][key] !== other[key]);
    if (name === undefined) continue;
    throw new UserError(
      `The ranks of this job do not agree: ${name} is ${first[1][name] ?? 'missing'} on rank 0 (${first[0]}) and ` +
        `${other[name] ?? 'missing'} on rank ${rank} (${host}). Start all with the same configuration, data and files.`,
    );
  }
}

/** Numbers of each variable that `sampledSum` looks at. */
const SAMPLED_NUMBERS = 1024;

/** A number that two sets of weights hardly share unless they are the same; from the first numbers of each variable. */
export async function sampledSum(variables: Iterable<tf.Variable>): Promise<number> {
  let sum = 0;
  let place = 0;
  for (const variable of variables) {
    const first = tf.tidy(() => tf.slice(tf.reshape(variable, [-1]), [0], [Math.min(SAMPLED_NUMBERS, variable.size)]));
    for (const value of await first.data<'float32'>()) sum += value * (1 + (place++ % 9973));
    first.dispose();
  }
  return sum;
}
