/** LayerNorm and RMSNorm over the last axis (channels last, so SAM's LayerNorm2d is the same layer). */
import * as fused from '../engine/fused-ops.js';
import * as tf from '../engine/tf.js';
import { ConfiguredLayer } from './composite-layer.js';

export interface NormConfig {
  readonly size: number;
  readonly epsilon: number;
}

/** y = (x - mean) / sqrt(variance + ε) · weight + bias. */
export class LayerNorm extends ConfiguredLayer<NormConfig> {
  static readonly className = 'GsvaLayerNorm';

  constructor(config: NormConfig) {
    super(config);
    this.parameter('weight', [config.size], { constant: 1 });
    this.parameter('bias', [config.size], { constant: 0 });
  }

  /** x [..., size] → [..., size]. */
  forward(x: tf.Tensor): tf.Tensor {
    return fused.layerNorm(x, this.value<tf.Rank.R1>('weight'), this.value<tf.Rank.R1>('bias'), this.config.epsilon);
  }
}
tf.serialization.registerClass(LayerNorm);

/** y = x / sqrt(mean(x²) + ε) · weight (LLaMA). */
export class RmsNorm extends ConfiguredLayer<NormConfig> {
  static readonly className = 'GsvaRmsNorm';

  constructor(config: NormConfig) {
    super(config);
    this.parameter('weight', [config.size], { constant: 1 });
  }

  /** x [..., size] → [..., size]. */
  forward(x: tf.Tensor): tf.Tensor {
    return fused.rmsNorm(x, this.value<tf.Rank.R1>('weight'), this.config.epsilon);
  }
}
tf.serialization.registerClass(RmsNorm);
