/** The catalogue of SELF1E against the architecture: numbers of the published sizes, by a model that is never computed. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { startDryRun } from '../../../src/engine/dry-run.js';
import { SELF1E_BASES, SELF1E_MODELS } from '../../../src/systems/catalogue/self1e-models.js';
import { readSelf1eConfig } from '../../../src/systems/self1e/config.js';
import { Self1e } from '../../../src/systems/self1e/model.js';
import { self1eSizes } from '../self1e/published-sizes.js';

function numbersOf(size: '2B' | '8B'): Map<string, number> {
  const network = new Self1e(readSelf1eConfig(self1eSizes(size), 'the published sizes'));
  network.build();
  const numbers = [...network.namedParameters()].map(([name, { variable }]): [string, number] => [
    name,
    (variable.shape as number[]).reduce((product, length) => product * length, 1),
  ]);
  network.dispose();
  return new Map(numbers);
}

const sum = (numbers: Iterable<number>): number => [...numbers].reduce((total, count) => total + count, 0);

describe.each(['2B', '8B'] as const)('%s', (size) => {
  let numbers = new Map<string, number>();
  beforeAll(async () => {
    await startDryRun('fused');
    numbers = numbersOf(size);
  }, 120_000);

  test('numbers of SELF1E, and of its base without projections and the two added rows', () => {
    const projections = [...numbers].filter(([name]) => name.startsWith('combine_decode_proj'));
    const rows = 2 * 2 * self1eSizes(size).llm.hidden_size;
    const all = sum(numbers.values());
    expect(SELF1E_BASES[size].numbers).toEqual({ all, base: all - rows - sum(projections.map(([, count]) => count)) });
  });

  test('they are those of reference-self1e.md, to the digits that it has', () => {
    const parts = (prefix: string): number =>
      sum([...numbers].flatMap(([name, count]) => (name.startsWith(prefix) ? [count] : [])));
    const found = [sum(numbers.values()) / 1e9, parts('mlp1.') / 1e6, parts('combine_decode_proj') / 1e6];
    const [all, mlp1, projections] = { '2B': [2.12, 8.7, 28.3], '8B': [8.1, 27.5, 154] }[size] as [
      number,
      number,
      number,
    ];
    expect(Math.abs((found[0] as number) - all)).toBeLessThan(0.006);
    expect(Math.abs((found[1] as number) - mlp1)).toBeLessThan(0.06);
    expect(Math.abs((found[2] as number) - projections)).toBeLessThan(0.6);
  });
});

test('every model has its eight figures of RES, and the same base twice', () => {
  expect(SELF1E_MODELS.map(({ name, base }) => [name, base.name])).toEqual([
    ['SELF1E-2B', 'InternVL3-2B'],
    ['SELF1E-SEG-2B', 'InternVL3-2B'],
    ['SELF1E-8B', 'InternVL3-8B'],
    ['SELF1E-SEG-8B', 'InternVL3-8B'],
  ]);
  for (const { figures } of SELF1E_MODELS) {
    expect(Object.values(figures.cIoU)).toHaveLength(8);
    expect(Object.values(figures.cIoU).every((value) => value > 69 && value < 87)).toBe(true);
  }
});
