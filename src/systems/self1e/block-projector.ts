/** mlp1 of InternVL: from blocks of patches to tokens of the language model. */
import * as fused from '../../engine/fused-ops.js';
import * as tf from '../../engine/tf.js';
import { ConfiguredLayer } from '../../nn/composite-layer.js';
import { LayerNorm, Linear } from '../../nn/layers.js';
import { pixelShuffle, SHUFFLE } from '../../nn/pixel-shuffle.js';
import type { Retaining } from './config.js';

/** PyTorch's default. */
const EPSILON = 1e-5;
const BLOCK = SHUFFLE * SHUFFLE;

export class BlockProjector extends ConfiguredLayer<{ readonly visionSize: number; readonly textSize: number }> {
  static readonly className = 'GsvaBlockProjector';
  private readonly blockSize = BLOCK * this.config.visionSize;
  private readonly norm = this.track('0', new LayerNorm({ size: this.blockSize, epsilon: EPSILON }));
  private readonly first = this.track('1', Linear.of(this.blockSize, this.config.textSize));
  private readonly second = this.track('3', Linear.of(this.config.textSize, this.config.textSize));

  constructor(config: { readonly visionSize: number; readonly textSize: number }) {
    super(config, config.textSize);
  }

  /** Blocks [..., 4·vision] → [..., text]. */
  forward(blocks: tf.Tensor): tf.Tensor {
    return this.second.forward(fused.gelu(this.first.forward(this.norm.forward(blocks))));
  }

  /** V1: patches [n, g, g, vision] → tokens [n, g/2, g/2, text]. */
  tokens(patches: tf.Tensor4D): tf.Tensor4D {
    return this.forward(pixelShuffle(patches)) as tf.Tensor4D;
  }

  /** HQ: patches [n, g, g, vision] → [n, g, g, text]; null in the variant without. */
  fine(patches: tf.Tensor4D, retaining: Retaining): tf.Tensor4D | null {
    if (retaining === 'none') return null;
    const blocks = retaining === 'scanning' ? blocksAtEveryPlace(patches) : replicated(patches);
    return this.forward(blocks) as tf.Tensor4D;
  }
}
tf.serialization.registerClass(BlockProjector);

/** RFR: every patch four times along the channels, [n, g, g, C] → [n, g, g, 4·C]. */
export function replicated(patches: tf.Tensor4D): tf.Tensor4D {
  return tf.tile(patches, [1, 1, 1, BLOCK]);
}

/** Pixel shuffle with stride 1: the block that begins at each place; beyond the border stands the border's patch. */
export function blocksAtEveryPlace(patches: tf.Tensor4D): tf.Tensor4D {
  const below = shifted(patches, 1);
  return tf.concat4d([patches, shifted(patches, 2), below, shifted(below, 2)], 3);
}

/** The neighbour behind each place along an axis; the last is its own. */
function shifted(x: tf.Tensor4D, axis: 1 | 2): tf.Tensor4D {
  const length = x.shape[axis];
  const slice = (start: number): tf.Tensor4D => {
    const begin = [0, 0, 0, 0].with(axis, start) as [number, number, number, number];
    return tf.slice(x, begin, x.shape.with(axis, length - start));
  };
  return tf.concat4d([slice(1), slice(length - 1)], axis);
}
