/** SAM's two-way transformer and mask decoder for one query, once more: loops in double precision, PyTorch's weights. */
import {
  attend,
  convolveTransposed,
  entry,
  gelu,
  type Grid,
  layerNorm,
  linear,
  type Matrix,
  matrix,
  sum,
  toRows,
} from '../../helpers/naive.js';
import { stored } from '../../helpers/tensors.js';
import type { CompositeLayer } from '../../../src/nn/composite-layer.js';

/** A layer's stored parameters below a prefix. */
export class Weights {
  constructor(
    private readonly layer: CompositeLayer,
    private readonly prefix = '',
  ) {}

  under(name: string): Weights {
    return new Weights(this.layer, `${this.prefix}${name}.`);
  }

  read(name: string): { shape: number[]; data: Float32Array } {
    return stored(this.layer, this.prefix + name);
  }

  linear(x: Matrix): Matrix {
    const { shape, data } = this.read('weight');
    return linear(x, toRows(data, shape[1] ?? 0), this.read('bias').data);
  }

  norm(x: Matrix, eps: number): Matrix {
    return x.map((row) => layerNorm(row, this.read('weight').data, this.read('bias').data, eps));
  }

  attention(query: Matrix, key: Matrix, value: Matrix, heads: number): Matrix {
    const [q, k, v] = [
      this.under('q_proj').linear(query),
      this.under('k_proj').linear(key),
      this.under('v_proj').linear(value),
    ];
    return this.under('out_proj').linear(attend(q, k, v, heads));
  }

  mlp(x: Matrix, layers: number): Matrix {
    let y = x;
    for (let i = 0; i < layers; i++) {
      y = this.under(`layers.${i}`).linear(y);
      if (i < layers - 1) y = relu(y);
    }
    return y;
  }
}

const NORM_EPSILON = 1e-5;

function plus(a: Matrix, b: Matrix): Matrix {
  return matrix(a.length, (a[0] ?? []).length, (i, j) => entry(a, i, j) + entry(b, i, j));
}

function relu(x: Matrix): Matrix {
  return x.map((row) => row.map((value) => Math.max(0, value)));
}

export interface State {
  readonly tokens: Matrix;
  readonly cells: Matrix;
}

export function naiveBlock(w: Weights, state: State, positions: State, heads: number, isFirst: boolean): State {
  const placed = plus(state.tokens, positions.tokens);
  const attended = isFirst
    ? w.under('self_attn').attention(state.tokens, state.tokens, state.tokens, heads)
    : plus(state.tokens, w.under('self_attn').attention(placed, placed, state.tokens, heads));
  const first = w.under('norm1').norm(attended, NORM_EPSILON);
  const cells = plus(state.cells, positions.cells);
  const toImage = w.under('cross_attn_token_to_image');
  const seen = toImage.attention(plus(first, positions.tokens), cells, state.cells, heads);
  const second = w.under('norm2').norm(plus(first, seen), NORM_EPSILON);
  const widened = relu(w.under('mlp.lin1').linear(second));
  const third = w.under('norm3').norm(plus(second, w.under('mlp.lin2').linear(widened)), NORM_EPSILON);
  const toToken = w.under('cross_attn_image_to_token');
  const told = toToken.attention(cells, plus(third, positions.tokens), third, heads);
  return { tokens: third, cells: w.under('norm4').norm(plus(state.cells, told), NORM_EPSILON) };
}

/** The tokens serve as their own positions. */
export function naiveTransformer(w: Weights, start: State, cellPositions: Matrix, heads: number, depth: number): State {
  const positions: State = { tokens: start.tokens, cells: cellPositions };
  let state = start;
  for (let i = 0; i < depth; i++) state = naiveBlock(w.under(`layers.${i}`), state, positions, heads, i === 0);
  const attention = w.under('final_attn_token_to_image');
  const seen = attention.attention(
    plus(state.tokens, start.tokens),
    plus(state.cells, cellPositions),
    state.cells,
    heads,
  );
  return { ...state, tokens: w.under('norm_final_attn').norm(plus(state.tokens, seen), NORM_EPSILON) };
}

/**
 * @param cells the image embedding as rows, [height·width, size]
 * @returns mask logits [4·height·4·width], row by row, and the first mask's predicted IoU
 */
export function naiveMaskDecoder(
  w: Weights,
  input: { cells: Matrix; positions: Matrix; prompts: Matrix; height: number; width: number },
  { heads, depth }: { heads: number; depth: number },
): { mask: number[]; iou: number } {
  const { cells, positions, prompts, height, width } = input;
  const size = (cells[0] ?? []).length;
  const learned = ['iou_token.weight', 'mask_tokens.weight'].flatMap((name) => toRows(w.read(name).data, size));
  const decoded = naiveTransformer(
    w.under('transformer'),
    { tokens: [...learned, ...prompts], cells },
    positions,
    heads,
    depth,
  );
  const enlarge = (grid: Grid, index: number): Grid => {
    const part = w.under(`output_upscaling.${index}`);
    return convolveTransposed(grid, part.read('weight'), part.read('bias').data);
  };
  const first = enlarge({ height, width, channels: size, data: decoded.cells.flat() }, 0);
  const normed = w.under('output_upscaling.1').norm(toRows(first.data, first.channels), 1e-6);
  const second = enlarge({ ...first, data: normed.flat().map(gelu) }, 3);
  const pixels = toRows(Array.from(second.data, gelu), second.channels);
  const [iouToken = [], maskToken = []] = decoded.tokens;
  const kernel = w.under('output_hypernetworks_mlps.0').mlp([maskToken], 3)[0] ?? [];
  const [ious = []] = w.under('iou_prediction_head').mlp([iouToken], 3);
  return {
    mask: pixels.map((row) => sum(row.length, (c) => (row[c] as number) * (kernel[c] as number))),
    iou: ious[0] as number,
  };
}
