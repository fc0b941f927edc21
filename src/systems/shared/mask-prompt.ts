/** ψ: hidden state that predicts a [SEG] → query of SAM's mask decoder. Linear, ReLU, Linear (`text_hidden_fcs.0`). */
import * as tf from '../../engine/tf.js';
import { ConfiguredLayer, type Shape } from '../../nn/composite-layer.js';
import { Linear } from '../../nn/layers.js';

export class MaskPrompt extends ConfiguredLayer<{ readonly hiddenSize: number; readonly promptSize: number }> {
  static readonly className = 'GsvaMaskPrompt';
  private readonly inner = this.track('0', Linear.of(this.config.hiddenSize, this.config.hiddenSize));
  private readonly outer = this.track('2', Linear.of(this.config.hiddenSize, this.config.promptSize));

  /** hidden [..., D] → [..., prompt]. */
  forward(hidden: tf.Tensor): tf.Tensor {
    return this.outer.forward(tf.relu(this.inner.forward(hidden)));
  }

  override computeOutputShape(inputShape: Shape): Shape {
    return [...inputShape.slice(0, -1), this.config.promptSize];
  }
}
tf.serialization.registerClass(MaskPrompt);
