/** y = x·W + b, PyTorch's nn.Linear: `weight` ([out, in] there, [in, out] here, packed [out, in]) and `bias` [out]. */
import * as fused from '../engine/fused-ops.js';
import * as tf from '../engine/tf.js';
import { ConfiguredLayer, type Shape } from './composite-layer.js';

export interface LinearConfig {
  readonly inputSize: number;
  readonly outputSize: number;
  readonly useBias?: boolean;
}

export class Linear extends ConfiguredLayer<LinearConfig> {
  static readonly className: string = 'GsvaLinear';

  constructor(config: LinearConfig) {
    super(config);
    const { inputSize, outputSize, useBias = true } = config;
    const initial = { deviation: 1 / Math.sqrt(inputSize) };
    this.packableParameter('weight', [inputSize, outputSize], initial, { kind: 'linear' });
    if (useBias) this.parameter('bias', [outputSize], { constant: 0 });
  }

  /** x [..., in] → [..., out]. */
  forward(x: tf.Tensor): tf.Tensor {
    const bias = this.config.useBias === false ? null : this.value<tf.Rank.R1>('bias');
    const matrix = this.packed('weight');
    if (matrix === null) return fused.linear(x, this.value<tf.Rank.R2>('weight'), bias);
    return bias === null ? matrix.multiply(x) : tf.tidy(() => tf.add(matrix.multiply(x), bias));
  }

  override computeOutputShape(inputShape: Shape): Shape {
    return [...inputShape.slice(0, -1), this.config.outputSize];
  }
}
tf.serialization.registerClass(Linear);
