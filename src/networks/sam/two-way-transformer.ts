/**
 * SAM's two-way transformer (segment_anything/modeling/transformer.py): tokens (queries) and image cells (keys) attend
 * to each other. Positions are added to queries and keys before every attention, never to the values.
 */
import * as tf from '../../engine/tf.js';
import { Attention } from '../../nn/attention.js';
import { ConfiguredLayer, type Shape } from '../../nn/composite-layer.js';
import { Linear } from '../../nn/linear.js';
import { LayerNorm } from '../../nn/norms.js';

export interface TwoWayConfig {
  readonly depth: number;
  readonly size: number;
  readonly heads: number;
  readonly mlpSize: number;
}

export interface TwoWayState {
  readonly tokens: tf.Tensor;
  readonly cells: tf.Tensor;
}

const NORM_EPSILON = 1e-5;
/** Cross attention works at half the width (`attention_downsample_rate=2`). */
const DOWNSAMPLE = 2;

export class TwoWayBlock extends ConfiguredLayer<TwoWayConfig & { readonly isFirst: boolean }> {
  static readonly className = 'GsvaTwoWayBlock';
  private readonly selfAttention: Attention;
  private readonly tokenToImage: Attention;
  private readonly imageToToken: Attention;
  private readonly norms: readonly [LayerNorm, LayerNorm, LayerNorm, LayerNorm];
  private readonly lin1: Linear;
  private readonly lin2: Linear;

  constructor(config: TwoWayConfig & { readonly isFirst: boolean }) {
    super(config);
    const { size, heads, mlpSize } = config;
    const norm = (name: string): LayerNorm => this.track(name, new LayerNorm({ size, epsilon: NORM_EPSILON }));
    const crossConfig = { size, innerSize: size / DOWNSAMPLE, heads };
    this.selfAttention = this.track('self_attn', new Attention({ size, innerSize: size, heads }));
    const norm1 = norm('norm1');
    this.tokenToImage = this.track('cross_attn_token_to_image', new Attention(crossConfig));
    const norm2 = norm('norm2');
    this.lin1 = this.track('mlp.lin1', new Linear({ inputSize: size, outputSize: mlpSize }));
    this.lin2 = this.track('mlp.lin2', new Linear({ inputSize: mlpSize, outputSize: size }));
    this.norms = [norm1, norm2, norm('norm3'), norm('norm4')];
    this.imageToToken = this.track('cross_attn_image_to_token', new Attention(crossConfig));
  }

  forward({ tokens, cells }: TwoWayState, tokenPositions: tf.Tensor, cellPositions: tf.Tensor): TwoWayState {
    const [norm1, norm2, norm3, norm4] = this.norms;
    const own = this.attendSelf(tokens, tokenPositions);
    const first = norm1.forward(own);
    const placedCells = tf.add(cells, cellPositions);
    const seen = this.tokenToImage.forward(tf.add(first, tokenPositions), placedCells, cells);
    const second = norm2.forward(tf.add(first, seen));
    const third = norm3.forward(tf.add(second, this.lin2.forward(tf.relu(this.lin1.forward(second)))));
    const told = this.imageToToken.forward(placedCells, tf.add(third, tokenPositions), third);
    return { tokens: third, cells: norm4.forward(tf.add(cells, told)) };
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor[] {
    return tf.tidy(() => {
      const [tokens, cells, tokenPositions, cellPositions] = fourTensors(inputs);
      const out = this.forward({ tokens, cells }, tokenPositions, cellPositions);
      return [out.tokens, out.cells];
    });
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape[] {
    return (inputShape as Shape[]).slice(0, 2);
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
  private readonly blocks: readonly TwoWayBlock[];
  private readonly finalAttention: Attention;
  private readonly finalNorm: LayerNorm;

  constructor(config: TwoWayConfig) {
    super(config);
    const { depth, size, heads } = config;
    this.blocks = Array.from({ length: depth }, (_, index) => {
      return this.track(`layers.${index}`, new TwoWayBlock({ ...config, isFirst: index === 0 }));
    });
    const finalConfig = { size, innerSize: size / DOWNSAMPLE, heads };
    this.finalAttention = this.track('final_attn_token_to_image', new Attention(finalConfig));
    this.finalNorm = this.track('norm_final_attn', new LayerNorm({ size, epsilon: NORM_EPSILON }));
  }

  /**
   * @param tokens [Q, N, D], which also serve as their own positions
   * @param cells image cells [Q, M, D]
   * @param cellPositions [1 or Q, M, D]
   */
  forward(tokens: tf.Tensor, cells: tf.Tensor, cellPositions: tf.Tensor): TwoWayState {
    const start: TwoWayState = { tokens, cells };
    const state = this.blocks.reduce((s, block) => block.forward(s, tokens, cellPositions), start);
    const placedTokens = tf.add(state.tokens, tokens);
    const placedCells = tf.add(state.cells, cellPositions);
    const seen = this.finalAttention.forward(placedTokens, placedCells, state.cells);
    return { tokens: this.finalNorm.forward(tf.add(state.tokens, seen)), cells: state.cells };
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor[] {
    return tf.tidy(() => {
      const [tokens, cells, cellPositions] = inputs as [tf.Tensor, tf.Tensor, tf.Tensor];
      const out = this.forward(tokens, cells, cellPositions);
      return [out.tokens, out.cells];
    });
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape[] {
    return (inputShape as Shape[]).slice(0, 2);
  }
}
tf.serialization.registerClass(TwoWayTransformer);

function fourTensors(inputs: tf.Tensor | tf.Tensor[]): [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor] {
  if (!Array.isArray(inputs) || inputs.length !== 4) {
    throw new Error('TwoWayBlock: expected [tokens, cells, tokenPositions, cellPositions]');
  }
  return inputs as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
}
