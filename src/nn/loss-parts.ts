/**
 * The parts of a loss, collected while it is computed and read once afterwards: reading one on the way would make a
 * graphics card wait.
 */
import * as tf from '../engine/tf.js';

/** Name under which `Gradients.losses` holds the total, the number that is differentiated. */
export const TOTAL_LOSS = 'loss';

/** Result of one forward and backward pass. */
export interface Gradients {
  /** The total under 'loss', and any parts of it by name (already weighted, so that they add up to the total). */
  readonly losses: Readonly<Record<string, number>>;
  /**
   * Gradient of the total by name of variable, of the variable's shape. The caller owns the tensors: it reads them
   * and disposes them, and writes into none of them (they may share memory, though each is a Tensor of its own). A
   * variable that the batch did not reach is left out.
   */
  readonly gradients: ReadonlyMap<string, tf.Tensor>;
}

export class LossParts<const Name extends string> {
  private readonly summands: ReadonlyMap<Name, tf.Tensor[]>;

  /** @param names in the order in which they are reported */
  constructor(names: readonly Name[]) {
    this.summands = new Map(names.map((name) => [name, []]));
  }

  /** Adds a scalar to a part, and returns it for the tape. It is kept until `dispose`. */
  add(name: Name, summand: tf.Tensor): tf.Tensor {
    this.summands.get(name)?.push(tf.keep(summand));
    return summand;
  }

  /** Every part, and their sum as 'loss'. */
  async read(): Promise<Record<Name | typeof TOTAL_LOSS, number>> {
    const sums = tf.tidy(() =>
      tf.stack([...this.summands.values()].map((summands) => tf.addN([tf.scalar(0), ...summands]))),
    );
    try {
      const values = Array.from(await sums.data<'float32'>());
      const parts = [...this.summands.keys()].map((name, index) => [name, values[index] ?? NaN] as const);
      const total = values.reduce((sum, value) => sum + value, 0);
      return Object.fromEntries([[TOTAL_LOSS, total], ...parts]) as Record<Name | typeof TOTAL_LOSS, number>;
    } finally {
      sums.dispose();
    }
  }

  dispose(): void {
    for (const summands of this.summands.values()) tf.dispose(summands.splice(0));
  }
}

/**
 * Runs one step: its gradients, which belong to the caller, and the parts of its loss.
 * @param compute collects the parts on its way
 */
export async function stepWithLosses<const Name extends string>(
  names: readonly Name[],
  compute: (parts: LossParts<Name>) => ReadonlyMap<string, tf.Tensor>,
): Promise<{ losses: Record<Name | typeof TOTAL_LOSS, number>; gradients: ReadonlyMap<string, tf.Tensor> }> {
  const parts = new LossParts(names);
  try {
    const gradients = compute(parts);
    return { losses: await parts.read(), gradients };
  } finally {
    parts.dispose();
  }
}
