/** Where text and vision tokens stand, worked out by hand. */
import { describe, expect, test } from '@jest/globals';
import { UserError } from '../../src/errors.js';
import { type TokenBatch, MultimodalRows } from '../../src/networks/multimodal-rows.js';

const IMAGE = -200;
const IGNORE = -100;
const SEG = 9;
const REJ = 8;

/** Rows of different length, padded on the right with 0. */
function batchOf(rows: number[][], labels: number[][] | null = null): TokenBatch {
  const time = Math.max(...rows.map((row) => row.length));
  const pad = (list: number[][], filler: number): Int32Array =>
    Int32Array.from(list.flatMap((row) => [...row, ...Array.from({ length: time - row.length }, () => filler)]));
  return {
    inputIds: pad(rows, 0),
    labels: labels === null ? null : pad(labels, IGNORE),
    lengths: rows.map((row) => row.length),
    batch: rows.length,
    time,
  };
}

describe('MultimodalRows', () => {
  test('vision tokens take the place of the placeholder; rows are padded to the longest', () => {
    const layout = new MultimodalRows(
      batchOf([
        [1, 5, IMAGE, 6],
        [1, IMAGE],
        [3, 4, 5],
      ]),
      3,
    );
    expect(layout.time).toBe(6);
    expect(layout.lengths).toEqual([6, 4, 3]);
    expect([...layout.textIndex]).toEqual([1, 5, 0, 0, 0, 6, /**/ 1, 0, 0, 0, 0, 0, /**/ 3, 4, 5, 0, 0, 0]);
    expect([...layout.isVision]).toEqual([0, 0, 1, 1, 1, 0, /**/ 0, 1, 1, 1, 0, 0, /**/ 0, 0, 0, 0, 0, 0]);
    expect([...layout.visionIndex]).toEqual([0, 0, 0, 1, 2, 0, /**/ 0, 3, 4, 5, 0, 0, /**/ 0, 0, 0, 0, 0, 0]);
  });

  test('a text position before the placeholder stays, one behind moves, the placeholder is its first vision token', () => {
    const layout = new MultimodalRows(
      batchOf([
        [1, 2],
        [1, 5, IMAGE, 6, 7],
      ]),
      3,
    );
    expect([0, 1, 2, 3, 4].map((t) => layout.flatIndex(1, t))).toEqual([7, 8, 9, 12, 13]);
    expect([0, 1].map((t) => layout.flatIndex(0, t))).toEqual([0, 1]);
  });

  test('supervised tokens are predicted one position before, by the last vision token right after the image', () => {
    const tokens = batchOf(
      [
        [1, IMAGE, 4, 5],
        [1, 2, SEG],
      ],
      [
        [IGNORE, IGNORE, 4, 5],
        [IGNORE, IGNORE, SEG],
      ],
    );
    const { positions, targets } = new MultimodalRows(tokens, 3).supervised();
    expect([...positions]).toEqual([3, 4, 6 + 1]);
    expect([...targets]).toEqual([4, 5, SEG]);
    expect(new MultimodalRows({ ...tokens, labels: null }, 3).supervised().targets).toHaveLength(0);
  });

  test('a label at the very first position has no state that predicts it; padding is never supervised', () => {
    const tokens = batchOf([[4, 5], [4]], [[4, 5], [4]]);
    const noisy = { ...tokens, labels: Int32Array.from([4, 5, 4, 7]) };
    const { positions, targets } = new MultimodalRows(noisy, 2).supervised();
    expect([[...positions], [...targets]]).toEqual([[0], [5]]);
  });

  test('statesBefore finds tokens row by row; of the answer alone when asked', () => {
    const tokens = batchOf(
      [
        [1, SEG, IMAGE, SEG, REJ],
        [2, REJ, SEG],
      ],
      [
        [IGNORE, IGNORE, IGNORE, SEG, REJ],
        [IGNORE, REJ, IGNORE],
      ],
    );
    const layout = new MultimodalRows(tokens, 4);
    expect(layout.time).toBe(8);
    expect(layout.statesBefore([SEG])).toEqual([
      { row: 0, position: 0, token: 1, id: SEG },
      { row: 0, position: 5, token: 3, id: SEG },
      { row: 1, position: 9, token: 2, id: SEG },
    ]);
    expect(layout.statesBefore([SEG, REJ], 'supervised')).toEqual([
      { row: 0, position: 5, token: 3, id: SEG },
      { row: 0, position: 6, token: 4, id: REJ },
      { row: 1, position: 8, token: 1, id: REJ },
    ]);
    expect(new MultimodalRows({ ...tokens, labels: null }, 4).statesBefore([SEG], 'supervised')).toEqual([]);
  });

  test('rows of pure text take no vision tokens', () => {
    const layout = new MultimodalRows(batchOf([[1, 2, 3]]), 5);
    expect([layout.time, [...layout.isVision]]).toEqual([3, [0, 0, 0]]);
    expect([...layout.textIndex]).toEqual([1, 2, 3]);
  });

  test('two placeholders in a row are an error that names the row; in the padding they do not count', () => {
    const create = (): MultimodalRows => new MultimodalRows(batchOf([[1], [IMAGE, 2, IMAGE]]), 2);
    expect(create).toThrow(UserError);
    expect(create).toThrow('conversation 1 holds more than one image placeholder');
    const padded = { ...batchOf([[IMAGE, 2, IMAGE]]), lengths: [2] };
    expect(new MultimodalRows(padded, 2).time).toBe(3);
  });
});
