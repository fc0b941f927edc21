/** From states to masks: the whole head by plain loops on a grid that is not square, and the variants of Table 11. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../../src/engine/engine.js';
import * as tf from '../../../src/engine/tf.js';
import type { Self1eConfig } from '../../../src/systems/self1e/config.js';
import { FeatureProjection, Refill } from '../../../src/systems/self1e/refill.js';
import { Random } from '../../../src/random.js';
import { checkLayer } from '../../check-layer.js';
import { entry, gelu, interpolate, linear, matrix, type Matrix, sum, toRows } from '../../helpers/naive.js';
import { SMALL_SELF1E, smallSelf1e } from '../../helpers/small-self1e.js';
import { largest, largestDifference, normal, stored, valuesOf, variablesOf } from '../../helpers/tensors.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

checkLayer('FeatureProjection', {
  create: () => new FeatureProjection({ size: 4, outputSize: 6, deviation: 0.02 }),
  inputs: (random) => [normal(random, [3, 4])],
  outputShapes: [[3, 6]],
  parameters: { '0.weight': [4, 4], '0.bias': [4], '2.weight': [6, 4], '2.bias': [6] },
});

const [D, WIDE] = [16, 64];
checkLayer('Refill', {
  create: () => new Refill(SMALL_SELF1E),
  inputs: (random) => {
    const fields = [2, 2, 4].map((side) => normal(random, [side, 3 * (side / 2), D]));
    return [...fields, normal(random, [2, D])];
  },
  outputShapes: [[2, 8, 12]],
  parameters: Object.fromEntries(
    [
      ['', D],
      ['_ori', WIDE],
      ['_all', WIDE],
    ].flatMap(([suffix, outputs]) => [
      [`combine_decode_proj${suffix}.0.weight`, [D, D]],
      [`combine_decode_proj${suffix}.0.bias`, [D]],
      [`combine_decode_proj${suffix}.2.weight`, [outputs, D]],
      [`combine_decode_proj${suffix}.2.bias`, [outputs]],
    ]),
  ) as Record<string, number[]>,
});

const SIZE = SMALL_SELF1E.llm.hiddenSize;
/** Tokens of a side of a tile. */
const SIDE = 2;

/** A vector at each place of a picture: [height][width] → numbers. */
type Field = number[][][];

function field(height: number, width: number, at: (y: number, x: number) => number[]): Field {
  return Array.from({ length: height }, (_, y) => Array.from({ length: width }, (__, x) => at(y, x)));
}

/** A projection of the model: Linear, GELU, Linear, by its stored weights. */
function projection(refill: Refill, name: string): (x: number[]) => number[] {
  const at = (part: string): { shape: number[]; data: Float32Array } => stored(refill, `${name}.${part}`);
  const weight = (part: string): Matrix => toRows(at(part).data, at(part).shape[1] as number);
  return (x) => {
    const inner = linear([x], weight('0.weight'), at('0.bias').data).map((row) => row.map(gelu));
    return linear(inner, weight('2.weight'), at('2.bias').data)[0] as number[];
  };
}

/** Channels of each place → 2 × 2 places, blocks in the order above left, above right, below left, below right. */
function unshuffled(x: Field): Field {
  const size = (x[0]?.[0] as number[]).length / 4;
  return field(2 * x.length, 2 * (x[0] as number[][]).length, (y, at) => {
    const block = 2 * (y % 2) + (at % 2);
    return (x[Math.floor(y / 2)]?.[Math.floor(at / 2)] as number[]).slice(block * size, (block + 1) * size);
  });
}

function doubled(x: Field): Field {
  const [height, width] = [x.length, (x[0] as number[][]).length];
  const channels = Array.from({ length: SIZE }, (_, c) => {
    return interpolate(
      matrix(height, width, (y, at) => x[y]?.[at]?.[c] as number),
      2 * height,
      2 * width,
    );
  });
  return field(2 * height, 2 * width, (y, at) => channels.map((channel) => entry(channel, y, at)));
}

/** Values tile by tile [tiles, side, side, D] as a picture of `columns` tiles in a row. */
function picture(values: Float32Array, side: number, columns: number): Field {
  const tiles = values.length / (side * side * SIZE);
  return field((tiles / columns) * side, columns * side, (y, x) => {
    const tile = Math.floor(y / side) * columns + Math.floor(x / side);
    const place = (tile * side + (y % side)) * side + (x % side);
    return [...values.subarray(place * SIZE, (place + 1) * SIZE)];
  });
}

const minus = (a: number[], b: number[]): number[] => a.map((value, i) => value - (b[i] as number));
const plus = (a: number[], b: number[]): number[] => a.map((value, i) => value + (b[i] as number));
const combined = (a: Field, b: Field, of: typeof minus): Field =>
  a.map((row, y) => row.map((value, x) => of(value, b[y]?.[x] as number[])));
const mapped = (a: Field, of: (x: number[]) => number[]): Field => a.map((row) => row.map(of));

describe('masks on tiles put together, against loops in double precision', () => {
  test.each([
    { columns: 2, rows: 1 },
    { columns: 1, rows: 2 },
    { columns: 3, rows: 2 },
    { columns: 1, rows: 1 },
  ])('$columns columns and $rows rows come out the right way up', (grid) => {
    const model = smallSelf1e(1);
    const random = new Random(2);
    const tiles = grid.columns * grid.rows;
    const tokens = normal(random, [tiles, SIDE, SIDE, SIZE]) as tf.Tensor4D;
    const states = normal(random, [tiles, SIDE, SIDE, SIZE]) as tf.Tensor4D;
    const fine = normal(random, [tiles, 2 * SIDE, 2 * SIDE, SIZE]) as tf.Tensor4D;
    const decisions = normal(random, [2, SIZE]) as tf.Tensor2D;
    const numTensors = tf.memory().numTensors;
    const found = tf.tidy(() => {
      const joined = model.joined({ firstTile: 0, tiles, grid }, states, { tokens, fine });
      const { high, low } = model.refill.masks(joined, decisions);
      return [high, low()];
    });
    expect(tf.memory().numTensors).toBe(numTensors + 2);

    const [toPixels, f, ofStates] = ['', '_ori', '_all'].map((name) =>
      projection(model.refill, `combine_decode_proj${name}`),
    );
    if (toPixels === undefined || f === undefined || ofStates === undefined) throw new Error('projections');
    const [v1, i, hq] = [tokens, states, fine].map((x) =>
      picture(valuesOf(x), x === fine ? 2 * SIDE : SIDE, grid.columns),
    );
    const wide = mapped(i as Field, ofStates);
    const low = unshuffled(wide);
    const amplified = doubled(unshuffled(combined(wide, mapped(v1 as Field, f), minus)));
    const pixels = mapped(combined(unshuffled(mapped(hq as Field, f)), amplified, plus), toPixels);
    const queries = toRows(valuesOf(decisions), SIZE).map((state) => {
      const four = ofStates(state);
      return toPixels(Array.from({ length: SIZE }, (_, c) => sum(4, (block) => four[block * SIZE + c] as number) / 4));
    });
    const logits = (of: Field): number[] => {
      const times = (query: number[], pixel: number[]): number =>
        sum(SIZE, (c) => (query[c] as number) * (pixel[c] as number));
      return queries.flatMap((query) => of.flat().map((pixel) => times(query, pixel) / Math.sqrt(SIZE)));
    };
    const [height, width] = [4 * SIDE * grid.rows, 4 * SIDE * grid.columns];
    expect(found.map(({ shape }) => shape)).toEqual([
      [2, height, width],
      [2, height / 2, width / 2],
    ]);
    for (const [k, expected] of [logits(pixels), logits(low)].entries()) {
      const error = largestDifference(valuesOf(found[k] as tf.Tensor), expected) / largest(expected);
      expect(error).toBeLessThan(2e-6);
    }
    tf.dispose([found, tokens, states, fine, decisions]);
    model.dispose();
  });
});

describe('variants of Table 11', () => {
  const VARIANTS = (['self-replication', 'scanning', 'none'] as const).flatMap((retaining) =>
    [true, false].map((amplifier): Self1eConfig['refill'] => ({ retaining, amplifier, deviation: 0.02 })),
  );

  test.each(VARIANTS)(
    'retaining $retaining, amplifier $amplifier: shapes, finite gradients, no tensor left',
    (refill) => {
      const model = smallSelf1e(3, { refill });
      const { projector } = model;
      const random = new Random(4);
      const patches = normal(random, [2, 4, 4, 8]) as tf.Tensor4D;
      const states = normal(random, [2, SIDE, SIDE, SIZE]) as tf.Tensor4D;
      const decisions = normal(random, [3, SIZE]) as tf.Tensor2D;
      const names = [...variablesOf(model)].filter(([name]) => /^combine_|^mlp1/.test(name));
      const numTensors = tf.memory().numTensors;
      const [high, low] = tf.tidy(() => masks());
      // Without features at the pixels' resolution those of the states are all that there is.
      const widened = refill.retaining !== 'none' && refill.amplifier;
      const side = widened ? 4 : refill.retaining === 'none' && !refill.amplifier ? 1 : 2;
      expect(high?.shape).toEqual([3, SIDE * side, 2 * SIDE * side]);
      expect(low?.shape).toEqual([3, SIDE * (refill.amplifier ? 2 : 1), 2 * SIDE * (refill.amplifier ? 2 : 1)]);
      const { value, grads } = tf.variableGrads(
        () => {
          return tf.add(tf.sum(tf.square(masks()[0] as tf.Tensor)), tf.sum(tf.square(masks()[1] as tf.Tensor)));
        },
        names.map(([, variable]) => variable),
      );
      const gradientOf = (name: string): tf.Tensor | null => (grads as Record<string, tf.Tensor | null>)[name] ?? null;
      const reached = names.filter(([, { name }]) => gradientOf(name) !== null);
      for (const [, { name }] of reached)
        expect(valuesOf(gradientOf(name) as tf.Tensor).every(Number.isFinite)).toBe(true);
      const parts = new Set(reached.map(([name]) => name.split('.')[0]));
      expect([...parts].sort()).toEqual(expectedParts(refill));
      tf.dispose([high, low, value, ...Object.values(grads)] as tf.Tensor[]);
      expect(tf.memory().numTensors).toBe(numTensors);
      tf.dispose([patches, states, decisions]);
      model.dispose();

      function masks(): tf.Tensor[] {
        const own = { tokens: projector.tokens(patches), fine: projector.fine(patches, refill.retaining) };
        const grid = { columns: 2, rows: 1 };
        const joined = model.joined({ firstTile: 0, tiles: 2, grid }, states, own);
        const { high, low } = model.refill.masks(joined, decisions);
        return [high, low()];
      }
    },
  );

  function expectedParts({ retaining, amplifier }: Self1eConfig['refill']): string[] {
    const isFine = retaining !== 'none';
    return [
      'combine_decode_proj',
      ...(amplifier ? ['combine_decode_proj_all'] : []),
      ...(amplifier && isFine ? ['combine_decode_proj_ori'] : []),
      ...(isFine ? ['mlp1'] : []),
    ];
  }

  test('self-replication and scanning are two answers', () => {
    const found = (['self-replication', 'scanning'] as const).map((retaining) => {
      const model = smallSelf1e(3, { refill: { retaining, amplifier: true, deviation: 0.02 } });
      const values = tf.tidy(() => {
        return valuesOf(
          model.projector.fine(normal(new Random(4), [1, 4, 4, 8]) as tf.Tensor4D, retaining) as tf.Tensor,
        );
      });
      model.dispose();
      return values;
    });
    expect(largestDifference(found[0] ?? [], found[1] ?? [])).toBeGreaterThan(0.01);
  });
});

test('the projections start as the reference starts them: N(0, 0.02), biases 0', () => {
  const refill = new Refill({ ...SMALL_SELF1E, llm: { ...SMALL_SELF1E.llm, hiddenSize: 64 } });
  refill.build();
  refill.randomize(new Random(5));
  const { data } = stored(refill, 'combine_decode_proj_all.2.weight');
  const deviation = Math.sqrt(sum(data.length, (i) => (data[i] as number) ** 2) / data.length);
  expect(deviation).toBeCloseTo(0.02, 3);
  expect(largest(stored(refill, 'combine_decode_proj.0.bias').data)).toBe(0);
  refill.dispose();
});
