/** The attention rule as a bias: none where all is causal, and readings over a cache that see what whole ones see. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../../src/engine/engine.js';
import * as tf from '../../../src/engine/tf.js';
import { MultimodalRows } from '../../../src/networks/multimodal-rows.js';
import { scoreBias } from '../../../src/systems/self1e/attention-bias.js';
import { expandedTokens, visibleKeys } from '../../../src/systems/self1e/attention-rule.js';
import type { Self1e } from '../../../src/systems/self1e/model.js';
import type { Reading, ReadOptions } from '../../../src/systems/system.js';
import { Random } from '../../../src/random.js';
import { SMALL_SELF1E, smallSelf1e } from '../../helpers/small-self1e.js';
import { largestDifference, normal, valuesOf } from '../../helpers/tensors.js';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
});

const { seg: SEG, imageContext } = SMALL_SELF1E.tokens;
const IDS = { seg: SEG, imageContext };
const PATCHES = 4;

/** Rows of ids padded with 0. */
function rowsOf(...texts: readonly number[][]): MultimodalRows {
  const lengths = texts.map(({ length }) => length);
  const time = Math.max(...lengths);
  const inputIds = Int32Array.from(texts.flatMap((text) => [...text, ...Array<number>(time - text.length).fill(0)]));
  return new MultimodalRows({ inputIds, labels: null, lengths, batch: texts.length, time }, PATCHES);
}

describe('scoreBias', () => {
  test.each([
    { what: 'words alone', texts: [[5, 6, 7]], options: {} },
    { what: 'a picture and words', texts: [[5, -200, 7]], options: {} },
    {
      what: 'rows of several lengths: padding is no token',
      texts: [
        [5, -200, 7],
        [5, 6],
      ],
      options: {},
    },
    { what: '[SEG] in a reading that keeps its cache', texts: [[-200, 7, SEG]], options: { keepCache: true } },
  ])('none for $what', ({ texts, options }) => {
    expect(scoreBias(rowsOf(...texts), IDS, options, null)).toBeNull();
  });

  test('of rows with a [SEG] it is the rule', () => {
    tf.tidy(() => {
      const rows = rowsOf([5, -200, 7, SEG, 0, 8], [5, -200, 6]);
      const bias = scoreBias(rows, IDS, {}, null) as tf.Tensor4D;
      expect(bias.shape).toEqual([2, 1, rows.time, rows.time]);
      const visible = visibleKeys(expandedTokens(rows, imageContext), IDS);
      expect(Uint8Array.from(valuesOf(bias), (value) => Number(value === 0))).toEqual(visible);
    });
  });

  test('"!" hides itself as a key from a causal reading, and from those that go on behind it', () => {
    tf.tidy(() => {
      const bias = scoreBias(rowsOf([5, 0, 7]), IDS, { keepCache: true }, null) as tf.Tensor4D;
      const sees = (x: tf.Tensor4D): number[] => [...valuesOf(x)].map((value) => Number(value === 0));
      expect(sees(bias)).toEqual([1, 0, 0, /**/ 1, 0, 0, /**/ 1, 0, 1]);
      const next = scoreBias(rowsOf([8, 9]), IDS, { keepCache: true }, [Int32Array.of(5, 0, 7)]) as tf.Tensor4D;
      expect(next.shape).toEqual([1, 1, 2, 5]);
      expect(sees(next)).toEqual([1, 0, 1, 1, 0, /**/ 1, 0, 1, 1, 1]);
      expect(scoreBias(rowsOf([8, 9]), IDS, { keepCache: true }, [Int32Array.of(5, 6)])).toBeNull();
    });
  });
});

describe('readings over a cache', () => {
  /** States of a conversation read in pieces. */
  function inPieces(model: Self1e, pieces: readonly number[][], features: { vit: tf.Tensor }): Float32Array {
    const states: Float32Array[] = [];
    const readings: Reading[] = [];
    let from = 0;
    for (const piece of pieces) {
      const rows = rowsOf(piece);
      const last = readings.at(-1);
      const after: ReadOptions = last === undefined ? {} : { after: { reading: last, rows: [0], from } };
      const reading = model.read(rows, rows.hasPictures ? features : {}, { ...after, keepCache: true });
      states.push(valuesOf(reading.hidden));
      readings.push(reading);
      from += rows.time;
    }
    for (const reading of readings) reading.dispose();
    return Float32Array.from(states.flatMap((each) => [...each]));
  }

  test.each([
    { what: 'words', pieces: [[5, -200, 6], [7], [8, 9, 10], [11]] },
    { what: '"!" in every piece', pieces: [[5, 0, -200, 6], [0], [8, 0, 10], [11, 12]] },
    { what: '"!" in the first piece alone', pieces: [[5, 0, -200, 6], [7], [8, 9]] },
    { what: '[SEG], which is a word there', pieces: [[5, -200, 6], [SEG], [8, 0]] },
  ])('$what: pieces are as the whole', ({ pieces }) => {
    const model = smallSelf1e(1);
    const features = { vit: normal(new Random(2), [1, 16, 8]) };
    const before = tf.memory().numTensors;
    const whole = model.read(rowsOf(pieces.flat()), features, { keepCache: true });
    const expected = valuesOf(whole.hidden);
    whole.dispose();
    expect(largestDifference(inPieces(model, pieces, features), expected)).toBeLessThan(5e-6);
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose(features);
    model.dispose();
  });

  test('a "!" that others see would be noticed: without it the states behind are the same, at their positions', () => {
    const model = smallSelf1e(3);
    const read = (ids: number[]): Float32Array => {
      const reading = model.read(rowsOf(ids), {});
      const values = valuesOf(reading.hidden);
      reading.dispose();
      return values.slice(-16);
    };
    // The word in its place matters.
    expect(largestDifference(read([5, 6, 0, 8]), read([5, 6, 4, 8]))).toBeGreaterThan(1e-3);
    const embedding = model.namedParameters().get('language_model.model.embed_tokens.weight')?.variable;
    const before = read([5, 6, 0, 8]);
    tf.tidy(() => {
      const table = embedding?.read() as tf.Tensor2D;
      const first = tf.pad(tf.ones([1, 16]), [
        [0, table.shape[0] - 1],
        [0, 0],
      ]);
      embedding?.write(tf.add(table, first));
    });
    // The number of "!" itself does not.
    expect(largestDifference(read([5, 6, 0, 8]), before)).toBeLessThan(1e-6);
    model.dispose();
  });
});
