/** Plans of SELF1E at the published sizes: parameters, what trains, arithmetic, memory, before there are any weights. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { planMemory } from '../../src/benchmark/memory-plan.js';
import { openPlanSource } from '../../src/benchmark/plan-source.js';
import { self1eSizes } from '../systems/self1e/published-sizes.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-self1e-plan-'));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

function configFile(size: '2B' | '8B', rank: number): string {
  const path = join(scratch, `${size}-${rank}.json`);
  writeFileSync(path, JSON.stringify(self1eSizes(size, rank)));
  return path;
}

describe.each([
  // Parameters with adapters merged, what trains with r = 128, embeddings and head among it, TFLOP of a question
  // (reference-self1e.md).
  { size: '2B', all: 2.12e9, trainable: 701e6, tables: 466e6, tflop: 1.6 },
  { size: '8B', all: 8.1e9, trainable: 1.64e9, tables: 1.09e9, tflop: 5.1 },
] as const)('$size', ({ size, all, trainable, tables, tflop }) => {
  test('parameters and arithmetic of a question', async () => {
    const source = await openPlanSource(configFile(size, 0), { image: [448, 448] });
    expect(source.question).toMatchObject({ masks: 1, textTokens: 48 });
    const plan = await planMemory(source);
    expect(Math.abs(plan.parameters / all - 1)).toBeLessThan(0.003);
    expect(Math.abs(plan.questionFlops / 1e12 / tflop - 1)).toBeLessThan(0.05);
    expect([plan.featuresPerImage, plan.keptFeatures]).toEqual([0, 0]);
    for (const { inference } of plan.engines) expect(inference.tensors).toBeGreaterThan(4 * all);
  }, 300_000);

  test('what trains with adapters of rank 128', async () => {
    const plan = await planMemory(await openPlanSource(configFile(size, 128), { image: [448, 448] }));
    expect(Math.abs(plan.trainable / trainable - 1)).toBeLessThan(0.005);
    const sizeOf = (symbol: string): number => plan.parts.find(({ part }) => part === symbol)?.trainable ?? 0;
    expect(Math.abs((sizeOf('embed_tokens') + sizeOf('lm_head')) / tables - 1)).toBeLessThan(0.005);
    expect(plan.optimizer).toBe(8 * plan.trainable);
  }, 300_000);
});
