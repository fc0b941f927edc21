/**
 * AdamW as in PyTorch (Loshchilov & Hutter), with clipping as torch.nn.utils.clip_grad_norm_. Unlike `tf.train.adam` it
 * keeps two moments per variable and nothing else, allocated at once, so that memory does not grow during training.
 */
import { adamWUpdate, sumOfSquares } from '../../engine/fused-ops.js';
import * as tf from '../../engine/tf.js';
import { UserError, messageOf } from '../../errors.js';
import type { AdamWOptions } from '../config/training-config.js';
import type { MomentPart, MomentReader, OptimizerRule } from './optimizer-rule.js';
import { NO_SQUARES, updateSquares } from './update-squares.js';
import type { NamedTensors, NamedVariables } from '../../nn/backprop.js';

export type { AdamWOptions };

/** One variable and what Adam remembers of it. */
export interface ParameterState {
  readonly variable: tf.Variable;
  /** First and second moment, of the variable's shape. */
  readonly m: tf.Variable;
  readonly v: tf.Variable;
  /** Updates that this variable took part in: those in which it had a gradient. */
  step: number;
  readonly learningRateMultiplier: number;
}

/** torch.nn.utils.clip_grad_norm_ divides by the norm plus this. */
const CLIP_EPSILON = 1e-6;

export class AdamW implements OptimizerRule {
  readonly parameters: ReadonlyMap<string, ParameterState>;

  constructor(
    readonly variables: NamedVariables,
    readonly options: AdamWOptions,
  ) {
    const multipliers = learningRateFactors([...variables.keys()], options.learningRateMultipliers ?? {});
    const stateOf = (name: string, variable: tf.Variable): ParameterState => {
      const [m, v] = [zerosLike(variable), zerosLike(variable)];
      return { variable, m, v, step: 0, learningRateMultiplier: multipliers.get(name) ?? 1 };
    };
    this.parameters = new Map([...variables].map(([name, variable]) => [name, stateOf(name, variable)]));
  }

  get steps(): ReadonlyMap<string, number> {
    return new Map([...this.parameters].map(([name, { step }]) => [name, step]));
  }

  /** Euclidean norm of all gradients together, each multiplied by `gradientScale`; not finite if any of them is not. */
  async globalNorm(gradients: NamedTensors, gradientScale = 1): Promise<number> {
    return Math.sqrt(await sumOfSquares([...gradients.values()])) * Math.abs(gradientScale);
  }

  /**
   * One update; variables without a gradient keep weights, moments and step, as in PyTorch.
   * @param learningRate before the multipliers @param globalNorm of these gradients @param gradientScale before
   * clipping
   */
  apply(gradients: NamedTensors, learningRate: number, globalNorm: number, gradientScale = 1): void {
    const { beta1, beta2, eps, weightDecay } = this.options;
    const scale = gradientScale * clipFactor(this.options, globalNorm);
    for (const [name, gradient] of gradients) {
      const state = this.parameters.get(name);
      if (state === undefined) throw new Error(`AdamW.apply: there is no variable "${name}" for this gradient`);
      state.step += 1;
      const { variable, m, v, step, learningRateMultiplier } = state;
      adamWUpdate({
        ...{ variable, m, v, gradient, beta1, beta2, eps, weightDecay, step, gradientScale: scale },
        learningRate: learningRate * learningRateMultiplier,
      });
    }
  }

  async updateSquares(gradients: NamedTensors, learningRate: number, gradientScale = 1) {
    const variables = [...this.parameters].map(([name, { variable, m, v, step, learningRateMultiplier }]) => {
      const gradient = gradients.get(name);
      const rate = learningRate * learningRateMultiplier;
      return { variable, update: gradient === undefined ? null : { gradient, m, v, step, learningRate: rate } };
    });
    const squares = await updateSquares(variables, this.options, gradientScale);
    return new Map([...this.parameters.keys()].map((name, i) => [name, squares[i] ?? NO_SQUARES]));
  }

  async moments(): Promise<readonly MomentPart[]> {
    const parts: MomentPart[] = [];
    for (const [name, { m, v, step }] of this.parameters) {
      if (step > 0) parts.push({ name, start: 0, m: await copyOf(m), v: await copyOf(v) });
    }
    return parts;
  }

  restore(read: MomentReader, steps: Readonly<Record<string, number>>): void {
    for (const [name, state] of this.parameters) {
      state.step = steps[name] ?? 0;
      for (const moment of ['m', 'v'] as const) {
        const { size } = state[moment];
        assignNumbers(state[moment], state.step > 0 ? read(moment, name, 0, size) : new Float32Array(size));
      }
    }
  }

  /** Frees the moments; the variables belong to the task. */
  dispose(): void {
    for (const { m, v } of this.parameters.values()) tf.dispose([m, v]);
  }
}

/** A variable's numbers in memory of their own: what an engine gives may be its own memory. */
export async function copyOf(variable: tf.Variable): Promise<Float32Array> {
  return (await variable.data<'float32'>()).slice();
}

export function assignNumbers(variable: tf.Variable, numbers: Float32Array): void {
  tf.tidy(() => {
    variable.assign(tf.tensor(numbers, variable.shape));
  });
}

function zerosLike(variable: tf.Variable): tf.Variable {
  // Inside tidy, the variable takes over the zeros' memory.
  return tf.tidy(() => tf.variable(tf.zeros(variable.shape, 'float32'), false));
}

/** Factor on gradients whose global norm is this, so that it becomes `clipNorm` at most. */
export function clipFactor({ clipNorm }: Pick<AdamWOptions, 'clipNorm'>, globalNorm: number): number {
  return clipNorm === null ? 1 : Math.min(1, clipNorm / (globalNorm + CLIP_EPSILON));
}

/** Factor by name. A pattern that no name matches is an error: it would silently do nothing. */
export function learningRateFactors(names: readonly string[], patterns: Readonly<Record<string, number>>) {
  const rules = Object.entries(patterns).map(([pattern, factor]) => {
    let expression: RegExp;
    try {
      expression = new RegExp(pattern, 'u');
    } catch (error) {
      throw new UserError(`Optimizer: learningRateMultipliers has no valid regular expression: ${messageOf(error)}.`);
    }
    if (!names.some((name) => expression.test(name))) {
      throw new UserError(
        `Optimizer: the learningRateMultipliers pattern "${pattern}" fits none of the ${names.length} trainable ` +
          `variables (the first is "${names[0] ?? ''}"); correct or remove it.`,
      );
    }
    return { expression, factor };
  });
  return new Map(names.map((name) => [name, rules.find(({ expression }) => expression.test(name))?.factor ?? 1]));
}
