/** φ: vision features → LLM embeddings. Linear in LLaVA-1; LLaVA-1.5's two-layer MLP and no projection also occur. */
import type { ProjectorType } from '../config.js';
import * as fused from '../engine/fused-ops.js';
import * as tf from '../engine/tf.js';
import { ConfiguredLayer, single } from '../nn/composite-layer.js';
import { Linear } from '../nn/layers.js';

interface ProjectorConfig {
  readonly type: ProjectorType;
  readonly visionSize: number;
  readonly textSize: number;
}

export class Projector extends ConfiguredLayer<ProjectorConfig> {
  static readonly className = 'GsvaProjector';
  private readonly linears: readonly Linear[];

  constructor(config: ProjectorConfig) {
    const { type, visionSize, textSize } = config;
    super(config, textSize);
    const first = { inputSize: visionSize, outputSize: textSize };
    if (type === 'identity') this.linears = [];
    else if (type === 'linear') this.linears = [this.track('', new Linear(first))];
    else {
      const second = { inputSize: textSize, outputSize: textSize };
      this.linears = [this.track('0', new Linear(first)), this.track('2', new Linear(second))];
    }
  }

  /** features [B, N, vision] → [B, N, text]. */
  forward(features: tf.Tensor): tf.Tensor {
    const [first, second] = this.linears;
    if (first === undefined) return features;
    const projected = first.forward(features);
    return second === undefined ? projected : second.forward(fused.gelu(projected));
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => tf.clone(this.forward(single(inputs))));
  }
}
tf.serialization.registerClass(Projector);
