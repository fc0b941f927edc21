/** InternViT: published parameters, positions of other grids, tiles by themselves, LoRA where it belongs, its layers. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../../src/engine/engine.js';
import * as tf from '../../../src/engine/tf.js';
import { readSafetensors } from '../../../src/io/safetensors/safetensors.js';
import {
  InternAttention,
  InternVit,
  InternVitLayer,
  vitPatches,
  withoutClass,
} from '../../../src/networks/intern-vit/intern-vit.js';
import { Random } from '../../../src/random.js';
import { ownName } from '../../../src/systems/self1e/published/names.js';
import { checkLayer } from '../../check-layer.js';
import { fixture } from '../../helpers/fixtures.js';
import { attend, gelu, layerNorm, linear, type Matrix, toRows } from '../../helpers/naive.js';
import { SMALL_SELF1E } from '../../helpers/small-self1e.js';
import { buildRandom, largestDifference, normal, stored, valuesOf } from '../../helpers/tensors.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

/** Sizes of fixtures/self1e-tiny. */
const TINY = {
  vision: {
    ...{ hiddenSize: 32, intermediateSize: 64, numHiddenLayers: 3, numAttentionHeads: 4 },
    ...{ imageSize: 32, patchSize: 4, layerNormEps: 1e-6 },
  },
  lora: { r: 4, alpha: 8, dropout: 0, targets: ['attn.qkv', 'attn.proj', 'mlp.fc1', 'mlp.fc2'] },
};
const SMALL = { vision: SMALL_SELF1E.vision, lora: { ...SMALL_SELF1E.lora, targets: SMALL_SELF1E.lora.visionTargets } };
const PLAIN = { ...SMALL, lora: { ...SMALL.lora, r: 0 } };

/** Names below a prefix of the recorded checkpoint, with PyTorch's shapes. */
function publishedShapes(prefix: string): Record<string, readonly number[]> {
  const { tensors } = readSafetensors(fixture('self1e-tiny', 'model.safetensors'));
  const own = [...tensors].flatMap(([published, { shape }]) => {
    const found = ownName(published);
    return 'name' in found && found.name.startsWith(prefix) ? [[found.name.slice(prefix.length), shape] as const] : [];
  });
  return Object.fromEntries(own);
}

checkLayer('InternAttention', {
  create: () => new InternAttention(TINY),
  inputs: (random) => [normal(random, [2, 5, 32])],
  outputShapes: [[2, 5, 32]],
  parameters: publishedShapes('vision_model.encoder.layers.0.attn.'),
});

checkLayer('InternVitLayer', {
  create: () => new InternVitLayer(TINY),
  inputs: (random) => [normal(random, [2, 5, 32])],
  outputShapes: [[2, 5, 32]],
  parameters: publishedShapes('vision_model.encoder.layers.0.'),
});

checkLayer('InternVit', {
  create: () => new InternVit(TINY),
  inputs: (random) => [normal(random, [2, 32, 32, 3])],
  outputShapes: [[2, 64, 32]],
  parameters: publishedShapes('vision_model.'),
});

test('a layer equals loops in double precision: norms, fused q k v in this order, LayerScale, exact GELU', () => {
  const layer = buildRandom(new InternVitLayer(PLAIN), new Random(1));
  const { hiddenSize: size, numAttentionHeads: heads, layerNormEps: epsilon } = PLAIN.vision;
  const x = normal(new Random(2), [1, 5, size]);
  const at = (name: string): Float32Array => stored(layer, name).data;
  const apply = (name: string, of: Matrix): Matrix => {
    const { shape, data } = stored(layer, `${name}.weight`);
    return linear(of, toRows(data, shape[1] as number), at(`${name}.bias`));
  };
  const scaled = (base: Matrix, added: Matrix, scale: Float32Array): Matrix =>
    base.map((row, i) => row.map((value, c) => value + (scale[c] as number) * (added[i]?.[c] as number)));
  const normed = (rows: Matrix, name: string): Matrix =>
    rows.map((row) => layerNorm(row, at(`${name}.weight`), at(`${name}.bias`), epsilon));
  const input = toRows(valuesOf(x), size);
  const fused = apply('attn.qkv', normed(input, 'norm1'));
  const third = (index: number): Matrix => fused.map((row) => row.slice(index * size, (index + 1) * size));
  const mixed = attend(third(0), third(1), third(2), heads);
  const middle = scaled(input, apply('attn.proj', mixed), at('ls1'));
  const inner = apply('mlp.fc1', normed(middle, 'norm2'));
  const expected = scaled(
    middle,
    apply(
      'mlp.fc2',
      inner.map((row) => row.map(gelu)),
    ),
    at('ls2'),
  );
  const found = tf.tidy(() => valuesOf(layer.forward(x)));
  expect(largestDifference(found, expected.flat())).toBeLessThan(5e-6);
  x.dispose();
  layer.dispose();
});

describe('InternVit', () => {
  test('positions of its own grid are the table; of another they are resized, the class token as it is', () => {
    const vit = buildRandom(new InternVit(PLAIN), new Random(3));
    const side = 4;
    tf.tidy(() => {
      const table = vit.positions(side, side);
      expect(table).toBe(vit.positions(side, side));
      const other = vit.positions(6, 3);
      expect(other.shape).toEqual([1, 1 + 18, 8]);
      expect(valuesOf(other).subarray(0, 8)).toEqual(valuesOf(table).subarray(0, 8));
      const values = valuesOf(table).subarray(8);
      const found = valuesOf(other).subarray(8);
      for (const [y, x] of [
        [0, 0],
        [5, 2],
        [2, 1],
      ] as const) {
        for (let c = 0; c < 8; c++) {
          const expected = convolved(
            (i, j) => values[(i * side + j) * 8 + c] as number,
            side,
            ((y + 0.5) * 4) / 6 - 0.5,
            ((x + 0.5) * 4) / 3 - 0.5,
          );
          expect(found[(y * 3 + x) * 8 + c]).toBeCloseTo(expected, 5);
        }
      }
      expect(vit.forward(normal(new Random(4), [1, 24, 12, 3])).shape).toEqual([1, 18, 8]);
    });
    vit.dispose();
  });

  test('tiles are seen by themselves: each as alone', () => {
    const vit = buildRandom(new InternVit(SMALL), new Random(5));
    tf.tidy(() => {
      const tiles = normal(new Random(6), [3, 16, 16, 3]);
      const together = valuesOf(vit.forward(tiles));
      for (let i = 0; i < 3; i++) {
        const alone = valuesOf(vit.forward(tf.slice(tiles, [i, 0, 0, 0], [1, -1, -1, -1])));
        expect(largestDifference(together.subarray(i * 128, (i + 1) * 128), alone)).toBeLessThan(5e-6);
      }
    });
    vit.dispose();
  });

  test('a patch goes where it stands, row by row, and the class token takes part though it is dropped', () => {
    const vit = buildRandom(
      new InternVit({ ...PLAIN, vision: { ...PLAIN.vision, numHiddenLayers: 0 } }),
      new Random(7),
    );
    tf.tidy(() => {
      const images = tf.zeros([1, 16, 16, 3]);
      const changed = tf.pad(tf.ones([1, 4, 4, 3]), [
        [0, 0],
        [8, 4],
        [4, 8],
        [0, 0],
      ]);
      const difference = tf.sum(tf.abs(tf.sub(vit.forward(changed), vit.forward(images))), 2);
      const moved = [...valuesOf(difference)].flatMap((value, patch) => (value > 1e-6 ? [patch] : []));
      expect(moved).toEqual([2 * 4 + 1]);
      expect(vit.embed(images).shape).toEqual([1, 17, 8]);
      expect(valuesOf(withoutClass(vit.embed(images)))).toEqual(valuesOf(vit.forward(images)));
    });
    vit.dispose();
    expect(vitPatches(PLAIN.vision)).toBe(16);
  });

  test('the stack of its layers is its forward pass; steps leave nothing behind', () => {
    const vit = buildRandom(new InternVit(SMALL), new Random(8));
    const images = normal(new Random(9), [2, 16, 16, 3]);
    const before = tf.memory().numTensors;
    const features = vit.forward(images);
    expect(tf.memory().numTensors).toBe(before + 1);
    tf.tidy(() => {
      const last = vit.stack(null).reduce<tf.Tensor>((hidden, layer) => layer(hidden), vit.embed(images));
      expect(largestDifference(valuesOf(withoutClass(last)), valuesOf(features))).toBeLessThan(1e-6);
    });
    tf.dispose([features, images]);
    vit.dispose();
  });

  test('LoRA stands on the named projections alone; its dropout follows the seed, another one in each layer', () => {
    const targets = ['attn.qkv', 'mlp.fc2'];
    const vit = buildRandom(
      new InternVit({ ...SMALL, lora: { ...SMALL.lora, targets, dropout: 0.5 } }),
      new Random(10),
    );
    const adapted = [...vit.namedParameters().keys()].filter((name) => name.includes('lora_A'));
    expect(adapted).toEqual(
      [0, 1].flatMap((layer) => targets.map((name) => `encoder.layers.${layer}.${name}.lora_A.default.weight`)),
    );
    tf.tidy(() => {
      const x = normal(new Random(11), [1, 5, 8]);
      const run = (layer: number, seed: number | null): Float32Array =>
        valuesOf(vit.stack(seed)[layer]?.(x) as tf.Tensor);
      expect(run(0, 3)).toEqual(run(0, 3));
      expect(largestDifference(run(0, 3), run(0, 4))).toBeGreaterThan(1e-4);
      expect(run(0, null)).toEqual(run(0, null));
      const [first, second] = vit.layers;
      const same = (seed: number): Float32Array => valuesOf(second?.forward(x, seed) as tf.Tensor);
      expect(first).not.toBe(second);
      expect(largestDifference(run(1, 3), same(3))).toBeGreaterThan(1e-4);
    });
    vit.dispose();
  });
});

/** The cubic convolution (a = −0.75) of a square map at a place; beyond the border stands the border. */
function convolved(map: (y: number, x: number) => number, side: number, v: number, u: number): number {
  const kernel = (distance: number): number => {
    const x = Math.abs(distance);
    if (x >= 2) return 0;
    return x <= 1 ? 1.25 * x ** 3 - 2.25 * x ** 2 + 1 : -0.75 * x ** 3 + 3.75 * x ** 2 - 6 * x + 3;
  };
  const clamp = (value: number): number => Math.max(0, Math.min(side - 1, value));
  let sum = 0;
  for (let y = Math.floor(v) - 1; y <= Math.floor(v) + 2; y++) {
    for (let x = Math.floor(u) - 1; x <= Math.floor(u) + 2; x++)
      sum += kernel(v - y) * kernel(u - x) * map(clamp(y), clamp(x));
  }
  return sum;
}
