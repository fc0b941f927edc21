/** SAM's prompts: points, box corners, padding, dense masks and the grid's positions, from their formulas. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../../src/engine/engine.js';
import * as tf from '../../../src/engine/tf.js';
import { PromptEncoder } from '../../../src/networks/sam/prompt-encoder.js';
import { Random } from '../../../src/random.js';
import { checkLayer } from '../../check-layer.js';
import { convolve, gelu, type Grid, layerNorm, toRows } from '../../helpers/naive.js';
import { publishedShapes, SMALL, TINY } from '../../helpers/small-model.js';
import { buildRandom, largestDifference, normal, stored, valuesOf } from '../../helpers/tensors.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

checkLayer('PromptEncoder', {
  create: () => new PromptEncoder(TINY.sam),
  inputs: (random) => [normal(random, [2, 3, 2], 20)],
  outputShapes: [[2, 3, 32]],
  parameters: publishedShapes('model.visual_model.prompt_encoder.'),
  // `call` reads every point as foreground (1).
  withoutGradient: /^(mask_downscaling|no_mask_embed|not_a_point_embed|point_embeddings\.[023])\b/,
});

const SIZE = SMALL.sam.promptEmbedDim;
const SIDE = SMALL.sam.imageSize;

function small(): PromptEncoder {
  return buildRandom(new PromptEncoder(SMALL.sam), new Random(1));
}

/** [sin, cos] of 2π·(2p - 1)·G for a position in [0, 1]². */
function fourier(encoder: PromptEncoder, x: number, y: number): number[] {
  const gaussian = toRows(stored(encoder, 'pe_layer.positional_encoding_gaussian_matrix').data, SIZE / 2);
  const angles = Array.from({ length: SIZE / 2 }, (_, j) => {
    return 2 * Math.PI * ((2 * x - 1) * (gaussian[0]?.[j] as number) + (2 * y - 1) * (gaussian[1]?.[j] as number));
  });
  return [...angles.map(Math.sin), ...angles.map(Math.cos)];
}

describe('PromptEncoder', () => {
  test('a point is its position plus the embedding of its label; padding is an embedding alone', () => {
    const encoder = small();
    const points = [
      { x: 3, y: 28, label: 1 },
      { x: 17.5, y: 0, label: 0 },
      { x: 2, y: 4, label: 2 },
      { x: 30, y: 31, label: 3 },
      { x: 9, y: 9, label: -1 },
      { x: 0, y: 0, label: 1 },
    ];
    // Two prompt sets of three points each.
    const sparse = tf.tidy(() => {
      const coordinates = tf.tensor3d(
        points.flatMap(({ x, y }) => [x, y]),
        [2, 3, 2],
      );
      const labels = tf.tensor2d(
        points.map(({ label }) => label),
        [2, 3],
        'int32',
      );
      const embeddings = encoder.forward({ coordinates, labels });
      expect(embeddings.shape).toEqual([2, 3, SIZE]);
      return valuesOf(embeddings);
    });
    const expected = points.flatMap(({ x, y, label }) => {
      const kind = stored(encoder, label < 0 ? 'not_a_point_embed.weight' : `point_embeddings.${label}.weight`).data;
      const position = fourier(encoder, (x + 0.5) / SIDE, (y + 0.5) / SIDE);
      return Array.from(kind, (value, i) => value + (label < 0 ? 0 : (position[i] as number)));
    });
    expect(largestDifference(sparse, expected)).toBeLessThan(1e-5);
    encoder.dispose();
  });

  test('densePositions are those of the cell centres, row by row', () => {
    const encoder = small();
    const dense = tf.tidy(() => {
      const positions = encoder.densePositions();
      expect(positions.shape).toEqual([1, 4, 4, SIZE]);
      return valuesOf(positions);
    });
    const expected = Array.from({ length: 16 }, (_, i) =>
      fourier(encoder, ((i % 4) + 0.5) / 4, (Math.floor(i / 4) + 0.5) / 4),
    );
    expect(largestDifference(dense, expected.flat())).toBeLessThan(1e-5);
    encoder.dispose();
  });

  test('noMaskEmbedding is the table with room to be added to every cell', () => {
    const encoder = small();
    tf.tidy(() => {
      expect(encoder.noMaskEmbedding().shape).toEqual([1, 1, 1, SIZE]);
      expect(valuesOf(encoder.noMaskEmbedding())).toEqual(stored(encoder, 'no_mask_embed.weight').data);
    });
    encoder.dispose();
  });

  test('denseMask: two strided convolutions, each normed and through GELU, and one by one', () => {
    const encoder = small();
    const masks = normal(new Random(2), [2, 16, 16, 1], 3);
    const dense = tf.tidy(() => {
      const embeddings = encoder.denseMask(masks as tf.Tensor4D);
      expect(embeddings.shape).toEqual([2, 4, 4, SIZE]);
      return valuesOf(embeddings);
    });
    const named = (index: number, what: string): { shape: number[]; data: Float32Array } =>
      stored(encoder, `mask_downscaling.${index}.${what}`);
    const convolved = (grid: Grid, index: number, stride: number): Grid =>
      convolve(grid, named(index, 'weight'), named(index, 'bias').data, { stride, padding: 0 });
    const normed = (grid: Grid, index: number): Grid => {
      const [weight, bias] = [named(index, 'weight').data, named(index, 'bias').data];
      const data = toRows(grid.data, grid.channels).flatMap((row) => layerNorm(row, weight, bias, 1e-6).map(gelu));
      return { ...grid, data };
    };
    const expected = [0, 1].flatMap((b) => {
      const grid: Grid = { height: 16, width: 16, channels: 1, data: valuesOf(masks).subarray(256 * b, 256 * b + 256) };
      const quarter = normed(convolved(normed(convolved(grid, 0, 2), 1), 3, 2), 4);
      return Array.from(convolved(quarter, 6, 1).data);
    });
    expect(largestDifference(dense, expected)).toBeLessThan(2e-5);
    masks.dispose();
    encoder.dispose();
  });
});
