/** Asking an engine in a process of its own: crashes, silence, floods and lies become an answer. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { type EngineAnswer, askEngine } from '../../src/setup/engine-answer.js';
import { runCommand } from '../../src/setup/run-command.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-answer-'));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

let programs = 0;

/** The answer about a program with this source in place of check-engine.js. */
async function answerOf(
  source: string,
  options: { timeout?: number; signal?: AbortSignal } = {},
): Promise<EngineAnswer> {
  const program = join(scratch, `${programs++}.mjs`);
  writeFileSync(program, source);
  return askEngine({ engine: 'wasm', threads: 1 }, program, runCommand, options);
}

const INFO = { name: 'wasm', threads: 1, device: 'A processor', blas: null, notice: null };
const printing = (answer: unknown): string => `console.log(${JSON.stringify(JSON.stringify(answer))})`;

test('a proper answer is passed on, also after other lines; the request is its argument', async () => {
  const answer = { outcome: 'works', info: INFO, gigaflops: 12 };
  expect(await answerOf(`console.log('loaded'); ${printing(answer)}`)).toEqual(answer);
  const echoing = `console.log(JSON.stringify({ outcome: 'refused', why: process.argv[2] }))`;
  expect(await answerOf(echoing)).toEqual({ outcome: 'refused', why: '{"engine":"wasm","threads":1}' });
});

test.each([
  ['nothing', ''],
  ['no JSON', 'console.log("all is well")'],
  ['another object', printing({ outcome: 'works' })],
  ['an engine that there is not', printing({ outcome: 'works', info: { ...INFO, name: 'abacus' }, gigaflops: 1 })],
  ['a speed that is none', printing({ outcome: 'works', info: INFO, gigaflops: -1 })],
  ['an unknown outcome', printing({ outcome: 'splendid' })],
])('%s is no proper answer', async (_, source) => {
  expect(await answerOf(source)).toEqual({
    outcome: 'broken',
    why: expect.stringContaining('gave no proper answer'),
  });
});

test('a crash is told', async () => {
  const { outcome, why } = (await answerOf('process.kill(process.pid, "SIGSEGV"); setInterval(() => {}, 1000)')) as {
    outcome: string;
    why: string;
  };
  expect(outcome).toBe('broken');
  expect(why).toMatch(/SIGSEGV/);
});

test('silence ends after the time', async () => {
  expect(await answerOf('setInterval(() => {}, 1000)', { timeout: 0.5 })).toEqual({
    outcome: 'unanswered',
    why: 'no answer within 0.5 s',
  });
});

test('a flood of output is no answer, and is not kept whole', async () => {
  const answer = await answerOf('for (let i = 0; i < 300; i++) process.stdout.write("x".repeat(100_000))');
  expect(answer).toMatchObject({ outcome: 'broken' });
  expect((answer as { why: string }).why.length).toBeLessThan(500);
});

test('Ctrl-C ends it', async () => {
  await expect(answerOf('setInterval(() => {}, 1000)', { signal: AbortSignal.timeout(300) })).rejects.toThrow(/abort/i);
});
