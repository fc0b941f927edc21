/** A table of learned rows: token embeddings, learned tokens, position tables. PyTorch's nn.Embedding. */
import * as tf from '../engine/tf.js';
import { ConfiguredLayer, type Shape } from './composite-layer.js';

export interface EmbeddingConfig {
  readonly rows: number;
  readonly size: number;
}

/** Standard deviation of the start values, as in LLaMA. */
export const EMBEDDING_DEVIATION = 0.02;

export class Embedding extends ConfiguredLayer<EmbeddingConfig> {
  static readonly className = 'GsvaEmbedding';

  constructor(config: EmbeddingConfig) {
    super(config);
    this.packableParameter('weight', [config.rows, config.size], { deviation: EMBEDDING_DEVIATION });
  }

  /** The whole table [rows, size], for use inside tf.tidy (not a copy, unless it is packed; do not dispose). */
  get table(): tf.Tensor2D {
    return this.packed('weight')?.widen() ?? this.value<tf.Rank.R2>('weight');
  }

  /** ids int32 [...] in [0, rows) → [..., size]. */
  forward(ids: tf.Tensor): tf.Tensor {
    return this.packed('weight')?.gather(ids) ?? tf.gather(this.table, ids);
  }

  override computeOutputShape(inputShape: Shape): Shape {
    return [...inputShape, this.config.size];
  }
}
tf.serialization.registerClass(Embedding);
