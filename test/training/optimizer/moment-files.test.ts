/** Moments written by some ranks are read by any number of others; what is missing, doubled or strange is refused. */
import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import * as tf from '../../../src/engine/tf.js';
import { UserError } from '../../../src/errors.js';
import { writePendingFiles } from '../../../src/io/atomic/pending-file.js';
import { partition } from '../../../src/training/distributed/partition.js';
import { momentFile, momentFileName, openMoments } from '../../../src/training/optimizer/moment-files.js';
import type { MomentPart } from '../../../src/training/optimizer/optimizer-rule.js';
import { newRunDir, useEngine } from '../toy-tasks.js';

const SHAPES: Readonly<Record<string, number[]>> = { a: [3, 5], 'b@7': [1], c: [40] };
let variables: Map<string, tf.Variable>;
/** First number of each variable in the row of all. */
const FIRST: Readonly<Record<string, number>> = { a: 0, 'b@7': 15, c: 16 };

beforeAll(async () => {
  await useEngine('cpu')();
  variables = new Map(Object.entries(SHAPES).map(([name, shape]) => [name, tf.variable(tf.zeros(shape))]));
});
afterAll(() => {
  tf.disposeVariables();
});

/** Each number says where it stands; v is 1000 more than m. */
function numbers(name: string, start: number, length: number, moment: 'm' | 'v'): Float32Array {
  return Float32Array.from({ length }, (_, i) => (FIRST[name] ?? 0) + start + i + (moment === 'v' ? 1000 : 0));
}

function partsOf(rank: number, ranks: number): MomentPart[] {
  const sizes = new Map([...variables].map(([name, { size }]) => [name, size]));
  const stretches =
    ranks === 1
      ? [...sizes].map(([name, length]) => ({ name, start: 0, length }))
      : partition(sizes, rank, ranks, 12).buckets.flatMap(({ own }) => own);
  return stretches.map(({ name, start, length }) => ({
    ...{ name, start },
    m: numbers(name, start, length, 'm'),
    v: numbers(name, start, length, 'v'),
  }));
}

function written(
  ranks: number,
  change: (parts: MomentPart[], rank: number) => MomentPart[] = (parts) => parts,
): string {
  const dir = newRunDir();
  mkdirSync(dir);
  for (let rank = 0; rank < ranks; rank++) {
    writePendingFiles(dir, [momentFile(change(partsOf(rank, ranks), rank), variables, rank, ranks)]);
  }
  return dir;
}

function expectRefused(dir: string, ranks: number, message: RegExp): void {
  const opening = (): unknown => openMoments(dir, ranks, variables);
  expect(opening).toThrow(UserError);
  expect(opening).toThrow(message);
}

describe('moments', () => {
  test.each([1, 2, 3, 7])('of %i ranks are read in any stretches', (ranks) => {
    const read = openMoments(written(ranks), ranks, variables);
    for (const readers of [1, 2, 5]) {
      for (let rank = 0; rank < readers; rank++) {
        for (const { name, start, m, v } of partsOf(rank, readers)) {
          expect(read('m', name, start, m.length)).toEqual(m);
          expect(read('v', name, start, v.length)).toEqual(v);
        }
      }
    }
  });

  test('are not read where a part is missing, doubled, or of a file that is not there', () => {
    const ofSecond = (change: (parts: MomentPart[]) => MomentPart[]): string =>
      written(3, (parts, rank) => (rank === 1 ? change(parts) : parts));
    expectRefused(
      ofSecond((parts) => parts.slice(1)),
      3,
      /optimizer-\*.safetensors: "m\.a" is not complete/,
    );
    const shifted = ofSecond(([first, ...rest]) => [
      { ...(first as MomentPart), start: (first?.start ?? 0) - 1 },
      ...rest,
    ]);
    expectRefused(shifted, 3, /"m\.a" is not complete/);
    const dir = written(3);
    rmSync(join(dir, momentFileName(2, 3)));
    expectRefused(dir, 3, /optimizer-00003-of-00003\.safetensors.*no such file/);
  });

  test('are not read where they belong to no variable here', () => {
    const dir = written(2, (parts) => [
      ...parts,
      { name: 'ghost', start: 0, m: new Float32Array(1), v: new Float32Array(1) },
    ]);
    expectRefused(dir, 2, /optimizer-00001-of-00002\.safetensors: it has the tensor "m\.ghost@0"/);
    // Whole tensors under a sharded file's name have no place.
    const whole = written(1);
    renameSync(join(whole, momentFileName(0, 1)), join(whole, momentFileName(0, 2)));
    writePendingFiles(whole, [momentFile([], variables, 1, 2)]);
    expectRefused(whole, 2, /it has the tensor "m\.a", which belongs to no/);
  });
});
