/**
 * LoRA (Hu et al. 2021): y = x·W + (α/r)·(dropout(x)·A)·B with W frozen (it may be packed). Names as peft writes them:
 * `weight`, `lora_A.default.weight` [r, in], `lora_B.default.weight` [out, r] (PyTorch layout).
 */
import * as fused from '../engine/fused-ops.js';
import * as tf from '../engine/tf.js';
import { Linear, type LinearConfig } from '../nn/linear.js';

/** Prefix that peft puts before every name of a published checkpoint. */
export const PUBLISHED_PREFIX = 'base_model.model.';

/** A tensor's name as the layers have it: without what peft puts before it. */
export function nameInModel(name: string): string {
  return name.startsWith(PUBLISHED_PREFIX) ? name.slice(PUBLISHED_PREFIX.length) : name;
}

export interface LoraLinearConfig extends LinearConfig {
  readonly r: number;
  readonly alpha: number;
  /** Probability that an input of the adapter is dropped while training. */
  readonly dropout: number;
}

export class LoraLinear extends Linear {
  static override readonly className: string = 'GsvaLoraLinear';
  private readonly lora: LoraLinearConfig;

  constructor(config: LoraLinearConfig) {
    super(config);
    this.lora = config;
    const { inputSize, outputSize, r } = config;
    this.parameter(
      'lora_A.default.weight',
      [inputSize, r],
      { deviation: 1 / Math.sqrt(inputSize) },
      { kind: 'linear' },
    );
    this.parameter('lora_B.default.weight', [r, outputSize], { constant: 0 }, { kind: 'linear' });
  }

  /**
   * x [..., in] → [..., out].
   * @param dropoutSeed seed of this call's dropout; null switches it off (evaluation)
   */
  override forward(x: tf.Tensor, dropoutSeed: number | null = null): tf.Tensor {
    const { r, alpha, dropout } = this.lora;
    const dropped = dropoutSeed === null || dropout === 0 ? x : tf.dropout(x, dropout, undefined, dropoutSeed);
    const down = fused.linear(dropped, this.value<tf.Rank.R2>('lora_A.default.weight'), null);
    const scaledUp: tf.Tensor2D = tf.mul(this.value('lora_B.default.weight'), alpha / r);
    return tf.add(super.forward(x), fused.linear(down, scaledUp, null));
  }

  /** The weight [in, out] with the adapter folded in: W + (α/r)·A·B. Owned by the caller. */
  mergedWeight(): tf.Tensor2D {
    return tf.tidy(() => {
      const a = this.value<tf.Rank.R2>('lora_A.default.weight');
      const b = this.value<tf.Rank.R2>('lora_B.default.weight');
      const packed = this.packed('weight');
      const weight = packed === null ? this.value('weight') : tf.transpose(packed.widen());
      return tf.add<tf.Tensor2D>(weight, tf.mul(tf.matMul(a, b), this.lora.alpha / this.lora.r));
    });
  }
}
tf.serialization.registerClass(LoraLinear);
