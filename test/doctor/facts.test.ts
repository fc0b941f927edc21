/** How long `gsva doctor` waits for engines: little, unless one is asked for by name, or everything. */
import { resolve } from 'node:path';
import { expect, test } from '@jest/globals';
import { gatherFacts } from '../../src/doctor/facts.js';
import type { EngineAnswer, EngineRequest } from '../../src/setup/engine-answer.js';

interface Question {
  readonly engine: string;
  readonly isBrief: boolean | undefined;
  readonly seconds: number | null;
}

/** All questions that were asked, where every engine works and `auto` is wasm. */
async function questions(request: EngineRequest, isThorough: boolean): Promise<Question[]> {
  const asked: Question[] = [];
  const ask = async ({ engine, isBrief }: EngineRequest, seconds: number | null): Promise<EngineAnswer> => {
    asked.push({ engine, isBrief, seconds });
    const name = engine === 'auto' ? 'wasm' : engine;
    return { outcome: 'works', gigaflops: 1, info: { name, threads: 1, device: '', blas: null, notice: null } };
  };
  const sources = { packageFile: resolve('package.json'), folder: '.', env: {}, note: () => undefined };
  const facts = await gatherFacts({ ...sources, request, isThorough, ask });
  expect(facts.isThorough).toBe(isThorough);
  expect(Object.values(facts.engines).every(({ outcome }) => outcome === 'works')).toBe(true);
  return asked;
}

test('in brief: each engine once, for seconds, what a command would start first', async () => {
  const asked = await questions({ engine: 'auto' }, false);
  expect(asked.map(({ engine }) => engine)).toEqual(['auto', 'openblas', 'cpu', 'tensorflow', 'webgpu']);
  for (const { isBrief, seconds } of asked) {
    expect(isBrief).toBe(true);
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThanOrEqual(4);
  }
});

test('an engine or a device that is asked for is waited for', async () => {
  expect((await questions({ engine: 'tensorflow' }, false))[0]).toMatchObject({ engine: 'tensorflow', seconds: null });
  const [first, ...others] = await questions({ engine: 'auto', device: 'gpu' }, false);
  expect(first).toMatchObject({ engine: 'auto', seconds: null });
  expect(others).toHaveLength(5);
});

test('--all waits for all of them, and measures', async () => {
  for (const { isBrief, seconds } of await questions({ engine: 'auto' }, true)) {
    expect([isBrief, seconds]).toEqual([false, null]);
  }
});
