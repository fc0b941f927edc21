/** A stack of linear layers with ReLU between them, none after the last (SAM's `MLP`: hypernetworks, IoU head). */
import * as tf from '../engine/tf.js';
import { ConfiguredLayer, type Shape } from './composite-layer.js';
import { Linear } from './linear.js';

export interface MlpConfig {
  /** Widths from input to output, at least two. */
  readonly sizes: readonly number[];
}

export class Mlp extends ConfiguredLayer<MlpConfig> {
  static readonly className = 'GsvaMlp';
  private readonly linears: Linear[];

  constructor(config: MlpConfig) {
    super(config);
    const { sizes } = config;
    this.linears = sizes.slice(1).map((outputSize, index) => {
      return this.track(`layers.${index}`, new Linear({ inputSize: sizes[index] ?? 0, outputSize }));
    });
  }

  /** x [..., sizes[0]] → [..., sizes.at(-1)]. */
  forward(x: tf.Tensor): tf.Tensor {
    return this.linears.reduce((y, linear, index) => {
      const z = linear.forward(y);
      return index < this.linears.length - 1 ? tf.relu(z) : z;
    }, x);
  }

  override computeOutputShape(inputShape: Shape): Shape {
    return [...inputShape.slice(0, -1), this.config.sizes.at(-1) ?? null];
  }
}
tf.serialization.registerClass(Mlp);
