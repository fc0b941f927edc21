/** Tolerances within which losses, gradients and updates of each system are to be those of its recording. */
import type { ScheduleForm } from '../training/loop/schedule.js';
import type { RecordedCase } from './model-case.js';

/** Gradients that are compared in one item. */
interface GradientGroup {
  readonly title: string;
  readonly tolerance: number;
  readonly remark: string;
  /** A gradient belongs to the last group that has it. @param scale its largest recorded magnitude */
  readonly has: (name: string, scale: number) => boolean;
  /** Held to be 0 or rounding alone; others are compared relative to their largest entry. */
  readonly isZero?: boolean;
}

export interface TrainingRules {
  readonly loss: number;
  /** Losses of a pass are items of their own, by absolute difference; else one, by relative difference. */
  readonly isEachLoss: boolean;
  readonly updateLoss: number;
  /** Tolerances of the norm of one pass, null where it is not recorded, and of those of the updates. */
  readonly norm: number | null;
  readonly updateNorm: number;
  /** Whether a gradient is rounding alone, and updates by it mean nothing. */
  readonly isNoise: (name: string) => boolean;
  /** Whether a recorded gradient is zero, so that it may be left out. */
  readonly isZero: (name: string, scale: number) => boolean;
  readonly gradients: readonly GradientGroup[];
  readonly parameter: number;
  /** Parameters are compared relative to their largest entry; else absolutely. */
  readonly isParameterRelative: boolean;
  /** @param noise number of parameters that are left out */
  readonly parameterRemark: (noise: number) => string;
  /** Weights of losses that are recorded without theirs, by our names. */
  readonly lossWeights?: Readonly<Record<string, number>>;
  /** Form of the schedule; default 'linear'. */
  readonly schedule?: ScheduleForm;
  /** Whether an update adds the gradients of its micro-batches; else it takes their mean. */
  readonly isSummed?: boolean;
}

/**
 * Adding the same number to every score of a softmax changes nothing, and that is all a key's bias does: its true
 * gradient is 0. What is recorded is rounding noise of some 1e-9, which Adam, dividing by its size, turns into full
 * steps of arbitrary sign; they influence no output. Noise is held to be noise, not compared. LISA's recording names
 * such gradients itself.
 */
const MATHEMATICALLY_ZERO = /\.mask_decoder\..*\.k_proj\.bias$/;
/** LISA's gradients of the last attention's scores, which add up what cancels. */
const SCORES = /\.final_attn_token_to_image\.[qk]_proj\./;

const ALL = { title: 'gradients', remark: 'relative to the largest entry', has: () => true };
const ZERO = { title: 'gradients that are 0', remark: 'parameters of the masks that are not used', isZero: true };

export function gsvaRules(): TrainingRules {
  const isNoise = (name: string): boolean => MATHEMATICALLY_ZERO.test(name);
  const isZero = (_: string, scale: number): boolean => scale === 0;
  const noise = 'mathematically 0 (softmax), recorded as rounding noise; absolute';
  return {
    ...{ loss: 1e-4, isEachLoss: true, updateLoss: 1e-3, norm: null, updateNorm: 1e-3, isNoise, isZero },
    gradients: [
      { ...ALL, tolerance: 1e-3 },
      { ...ZERO, tolerance: 0, has: isZero },
      { title: 'gradients of k_proj.bias', tolerance: 1e-7, remark: noise, has: isNoise, isZero: true },
    ],
    parameter: 1e-3,
    isParameterRelative: true,
    parameterRemark: (count) => {
      return `relative to the largest entry; ${count} k_proj.bias left out, which Adam moves by rounding noise alone`;
    },
  };
}

export function lisaRules(recorded: RecordedCase): TrainingRules {
  const [zero, vanishing] = [recorded.names('zero_grad'), recorded.names('vanishing_gradients')];
  const isNoise = (name: string): boolean => vanishing.has(name);
  const isZero = (name: string): boolean => zero.has(name);
  const scores = "gradients of the last attention's scores";
  return {
    ...{ loss: 1e-5, isEachLoss: false, updateLoss: 1e-5, norm: 1e-4, updateNorm: 1e-4, isNoise, isZero },
    gradients: [
      { ...ALL, tolerance: 1e-4 },
      { ...ALL, title: scores, tolerance: 1e-3, has: (name) => SCORES.test(name) },
      { ...ZERO, tolerance: 0, has: isZero },
      { title: 'gradients that vanish', tolerance: 1e-6, remark: 'rounding alone', has: isNoise, isZero: true },
    ],
    parameter: 3e-4,
    isParameterRelative: false,
    parameterRemark: (count) => {
      return `absolute; ${count} with vanishing gradients left out, which AdamW moves by rounding alone`;
    },
  };
}

/** @param lossWeights those of its recorded config.json @param isSummed whether the gradients of micro-batches are added */
export function self1eRules(lossWeights: Readonly<Record<string, number>>, isSummed: boolean): TrainingRules {
  const never = (): boolean => false;
  return {
    ...{ loss: 1e-5, isEachLoss: false, updateLoss: 1e-5, norm: 1e-4, updateNorm: 1e-4, isNoise: never, isZero: never },
    gradients: [{ ...ALL, tolerance: 1e-4 }],
    parameter: 2e-4,
    isParameterRelative: false,
    parameterRemark: () => 'absolute',
    lossWeights,
    schedule: 'published-0.19',
    isSummed,
  };
}
