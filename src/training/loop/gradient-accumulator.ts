/** Adds up the losses and gradients of the micro-batches of one update. */
import { accumulate } from '../../engine/fused-ops.js';
import * as tf from '../../engine/tf.js';
import type { Gradients } from '../../nn/loss-parts.js';

export class GradientAccumulator {
  /** The one micro-batch's own tensors, or sums of several in memory of our own. */
  private readonly passed = new Map<string, tf.Tensor>();
  private readonly sums = new Map<string, tf.Variable>();
  /** Sums of each loss, over the micro-batches that have it. */
  readonly lossSums = new Map<string, { sum: number; count: number }>();

  /**
   * @param variables define names and shapes @param microBatches to be added; a single one is passed on without a copy
   */
  constructor(
    private readonly variables: ReadonlyMap<string, tf.Variable>,
    private readonly microBatches: number,
  ) {}

  /** Takes over a micro-batch's tensors; they are disposed as soon as they are added. */
  add({ losses, gradients }: Gradients): void {
    try {
      for (const [name, gradient] of gradients) this.check(name, gradient);
    } catch (error) {
      tf.dispose([...gradients.values()]);
      throw error;
    }
    for (const [name, gradient] of gradients) {
      if (this.microBatches === 1) {
        this.passed.set(name, gradient);
      } else {
        this.addToSum(name, gradient);
        gradient.dispose();
      }
    }
    for (const [name, value] of Object.entries(losses)) {
      const { sum, count } = this.lossSums.get(name) ?? { sum: 0, count: 0 };
      this.lossSums.set(name, { sum: sum + value, count: count + 1 });
    }
  }

  /** Sum of the gradients by name; owned by this accumulator. */
  get gradients(): ReadonlyMap<string, tf.Tensor> {
    return this.microBatches === 1 ? this.passed : this.sums;
  }

  /** Mean of each loss over the micro-batches that have it. */
  get losses(): Record<string, number> {
    return Object.fromEntries([...this.lossSums].map(([name, { sum, count }]) => [name, sum / count]));
  }

  dispose(): void {
    tf.dispose([...this.passed.values(), ...this.sums.values()]);
    this.passed.clear();
    this.sums.clear();
  }

  private addToSum(name: string, gradient: tf.Tensor): void {
    // Into memory of our own: gradients may share theirs (that of a + b is the same for a and for b).
    const sum = this.sums.get(name) ?? tf.tidy(() => tf.variable(tf.zeros(gradient.shape, 'float32'), false));
    this.sums.set(name, sum);
    accumulate(sum, gradient, 1);
  }

  private check(name: string, gradient: tf.Tensor): void {
    const variable = this.variables.get(name);
    if (variable === undefined) throw new Error(`forwardBackward gave a gradient for "${name}", which does not train`);
    if (!tf.util.arraysEqual(gradient.shape, variable.shape)) {
      throw new Error(
        `forwardBackward gave "${name}" a gradient of shape [${gradient.shape.join(', ')}], ` +
          `expected [${variable.shape.join(', ')}]`,
      );
    }
  }
}
