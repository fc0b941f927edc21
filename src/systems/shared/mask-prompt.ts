/** ψ: hidden state that predicts a [SEG] → query of SAM's mask decoder. Linear, ReLU, Linear (`text_hidden_fcs.0`). */
import * as tf from '../../engine/tf.js';
import { ConfiguredLayer, type Shape } from '../../nn/composite-layer.js';
import { Linear } from '../../nn/layers.js';

export interface MaskPromptConfig {
  readonly hiddenSize: number;
  readonly promptSize: number;
}

export class MaskPrompt extends ConfiguredLayer<MaskPromptConfig> {
  static readonly className = 'GsvaMaskPrompt';
  private readonly inner: Linear;
  private readonly outer: Linear;

  constructor(config: MaskPromptConfig) {
    super(config);
    const { hiddenSize, promptSize } = config;
    this.inner = this.track('0', new Linear({ inputSize: hiddenSize, outputSize: hiddenSize }));
    this.outer = this.track('2', new Linear({ inputSize: hiddenSize, outputSize: promptSize }));
  }

  /** hidden [..., D] → [..., prompt]. */
  forward(hidden: tf.Tensor): tf.Tensor {
    return this.outer.forward(tf.relu(this.inner.forward(hidden)));
  }

  override computeOutputShape(inputShape: Shape): Shape {
    return [...inputShape.slice(0, -1), this.config.promptSize];
  }
}
tf.serialization.registerClass(MaskPrompt);
