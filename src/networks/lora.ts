/**
 * LoRA (Hu et al. 2021): y = x·W + (α/r)·(dropout(x)·A)·B with W frozen (it may be packed). Names as peft writes them:
 * `weight`, `lora_A.default.weight` [r, in], `lora_B.default.weight` [out, r] (PyTorch layout).
 */
import type { LoraConfig } from '../config.js';
import * as fused from '../engine/fused-ops.js';
import * as tf from '../engine/tf.js';
import { Linear, type LinearConfig } from '../nn/layers.js';

/** Prefix that peft puts before every name of a published checkpoint. */
export const PUBLISHED_PREFIX = 'base_model.model.';

/** A tensor's name as the layers have it: without what peft puts before it. */
export function nameInModel(name: string): string {
  return name.startsWith(PUBLISHED_PREFIX) ? name.slice(PUBLISHED_PREFIX.length) : name;
}

export class LoraLinear extends Linear<LinearConfig & Omit<LoraConfig, 'targets'>> {
  static override readonly className: string = 'GsvaLoraLinear';
  private readonly a = this.parameter(
    'lora_A.default.weight',
    [this.config.inputSize, this.config.r],
    { deviation: 1 / Math.sqrt(this.config.inputSize) },
    { kind: 'linear' },
  );
  private readonly b = this.parameter(
    'lora_B.default.weight',
    [this.config.r, this.config.outputSize],
    { constant: 0 },
    { kind: 'linear' },
  );

  /** x [..., in] → [..., out]. @param dropoutSeed seed of this call's dropout; null switches it off (evaluation) */
  override forward(x: tf.Tensor, dropoutSeed: number | null = null): tf.Tensor {
    const { r, alpha, dropout } = this.config;
    const dropped = dropoutSeed === null || dropout === 0 ? x : tf.dropout(x, dropout, undefined, dropoutSeed);
    const down = fused.linear(dropped, this.a(), null);
    const scaledUp: tf.Tensor2D = tf.mul(this.b(), alpha / r);
    return tf.add(super.forward(x), fused.linear(down, scaledUp, null));
  }

  /** The weight [in, out] with the adapter folded in: W + (α/r)·A·B. Owned by the caller. */
  mergedWeight(): tf.Tensor2D {
    return tf.tidy(() => {
      const packed = this.packed('weight');
      const weight = packed === null ? this.weight() : tf.transpose(packed.widen());
      return tf.add<tf.Tensor2D>(weight, tf.mul(tf.matMul(this.a(), this.b()), this.config.alpha / this.config.r));
    });
  }
}
tf.serialization.registerClass(LoraLinear);

/** A linear layer, with an adapter where its name is among the targets. */
export function linearWithLora(sizes: LinearConfig, name: string, { targets, ...adapter }: LoraConfig): Linear {
  return adapter.r === 0 || !targets.includes(name) ? new Linear(sizes) : new LoraLinear({ ...sizes, ...adapter });
}

/**
 * A linear layer with or without adapter: x [..., in] → [..., out].
 * @param dropoutSeed seed of the step, null when not training @param offset its own for each layer of a block
 */
export function forwardAdapted(layer: Linear, x: tf.Tensor, dropoutSeed: number | null, offset: number): tf.Tensor {
  if (!(layer instanceof LoraLinear)) return layer.forward(x);
  return layer.forward(x, dropoutSeed === null ? null : dropoutSeed + offset);
}
