/**
 * SAM's two-way transformer (segment_anything/modeling/transformer.py): tokens (queries) and image cells (keys) attend
 * to each other. Positions are added to queries and keys before every attention, never to the values.
 */
import * as tf from '../../engine/tf.js';
import { Attention } from '../../nn/attention.js';
import { ConfiguredLayer, type Shape } from '../../nn/composite-layer.js';
import { LayerNorm, Linear } from '../../nn/layers.js';

interface TwoWayConfig {
  readonly depth: number;
  readonly size: number;
  readonly heads: number;
  readonly mlpSize: number;
}

export interface TwoWayState {
  readonly tokens: tf.Tensor;
  readonly cells: tf.Tensor;
}

/** Cross attention works at half the width (`attention_downsample_rate=2`). */
const DOWNSAMPLE = 2;

function attention({ size, heads }: TwoWayConfig, narrowing: number): Attention {
  return new Attention({ size, innerSize: size / narrowing, heads });
}

function norm({ size }: TwoWayConfig): LayerNorm {
  return new LayerNorm({ size, epsilon: 1e-5 });
}

export class TwoWayBlock extends ConfiguredLayer<TwoWayConfig & { readonly isFirst: boolean }> {
  static readonly className = 'GsvaTwoWayBlock';
  private readonly selfAttention = this.track('self_attn', attention(this.config, 1));
  private readonly norm1 = this.track('norm1', norm(this.config));
  private readonly tokenToImage = this.track('cross_attn_token_to_image', attention(this.config, DOWNSAMPLE));
  private readonly norm2 = this.track('norm2', norm(this.config));
  private readonly lin1 = this.track('mlp.lin1', Linear.of(this.config.size, this.config.mlpSize));
  private readonly lin2 = this.track('mlp.lin2', Linear.of(this.config.mlpSize, this.config.size));
  private readonly norm3 = this.track('norm3', norm(this.config));
  private readonly norm4 = this.track('norm4', norm(this.config));
  private readonly imageToToken = this.track('cross_attn_image_to_token', attention(this.config, DOWNSAMPLE));

  forward({ tokens, cells }: TwoWayState, tokenPositions: tf.Tensor, cellPositions: tf.Tensor): TwoWayState {
    const first = this.norm1.forward(this.attendSelf(tokens, tokenPositions));
    const placedCells = tf.add(cells, cellPositions);
    const seen = this.tokenToImage.forward(tf.add(first, tokenPositions), placedCells, cells);
    const second = this.norm2.forward(tf.add(first, seen));
    const third = this.norm3.forward(tf.add(second, this.lin2.forward(tf.relu(this.lin1.forward(second)))));
    const told = this.imageToToken.forward(placedCells, tf.add(third, tokenPositions), third);
    return { tokens: third, cells: this.norm4.forward(tf.add(cells, told)) };
  }

  override call(inputs: tf.Tensor[]): tf.Tensor[] {
    if (inputs.length !== 4) throw new Error('TwoWayBlock: expected [tokens, cells, tokenPositions, cellPositions]');
    return tf.tidy(() => {
      const [tokens, cells, ...positions] = inputs as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
      const out = this.forward({ tokens, cells }, ...positions);
      return [out.tokens, out.cells];
    });
  }

  override computeOutputShape(inputShape: Shape[]): Shape[] {
    return inputShape.slice(0, 2);
  }

  /** The first block has no positions yet in its queries and no residual (`skip_first_layer_pe`). */
  private attendSelf(tokens: tf.Tensor, positions: tf.Tensor): tf.Tensor {
    if (this.config.isFirst) return this.selfAttention.forward(tokens, tokens, tokens);
    const placed = tf.add(tokens, positions);
    return tf.add(tokens, this.selfAttention.forward(placed, placed, tokens));
  }
}
tf.serialization.registerClass(TwoWayBlock);

export class TwoWayTransformer extends ConfiguredLayer<TwoWayConfig> {
  static readonly className = 'GsvaTwoWayTransformer';
  private readonly blocks = Array.from({ length: this.config.depth }, (_, index) => {
    return this.track(`layers.${index}`, new TwoWayBlock({ ...this.config, isFirst: index === 0 }));
  });
  private readonly finalAttention = this.track('final_attn_token_to_image', attention(this.config, DOWNSAMPLE));
  private readonly finalNorm = this.track('norm_final_attn', norm(this.config));

  /**
   * @param tokens [Q, N, D], which also serve as their own positions
   * @param cells image cells [Q, M, D]
   * @param cellPositions [1 or Q, M, D]
   */
  forward(tokens: tf.Tensor, cells: tf.Tensor, cellPositions: tf.Tensor): TwoWayState {
    const start: TwoWayState = { tokens, cells };
    const state = this.blocks.reduce((before, block) => block.forward(before, tokens, cellPositions), start);
    const placedTokens = tf.add(state.tokens, tokens);
    const placedCells = tf.add(state.cells, cellPositions);
    const seen = this.finalAttention.forward(placedTokens, placedCells, state.cells);
    return { tokens: this.finalNorm.forward(tf.add(state.tokens, seen)), cells: state.cells };
  }

  override call(inputs: tf.Tensor[]): tf.Tensor[] {
    return tf.tidy(() => {
      const out = this.forward(...(inputs as [tf.Tensor, tf.Tensor, tf.Tensor]));
      return [out.tokens, out.cells];
    });
  }

  override computeOutputShape(inputShape: Shape[]): Shape[] {
    return inputShape.slice(0, 2);
  }
}
tf.serialization.registerClass(TwoWayTransformer);
