/** Answer of a process that tries an engine (`check-engine.ts`), and the request for one. */
import { z } from 'zod';
import type { EngineInfo, EngineName } from '../engine/engine.js';
import { UserError, messageOf } from '../errors.js';
import { integer, number, oneOf, text } from '../schema.js';
import type { CommandOptions, RunCommand } from './run-command.js';

/** The engine starts, computes correctly, and its speed is known. */
export interface WorkingEngine {
  readonly outcome: 'works';
  readonly info: EngineInfo;
  /** Speed for matrices of 1024 × 1024 (512 × 512 where the request is brief), in 10^9 operations a second. */
  readonly gigaflops: number;
}

/**
 * 'refused': it cannot be started, for a stated reason. 'broken': it computes wrongly, crashes, or never answers.
 * 'unanswered': unknown, the time was up.
 */
export interface FailingEngine {
  readonly outcome: 'refused' | 'broken' | 'unanswered';
  readonly why: string;
}

export type EngineAnswer = WorkingEngine | FailingEngine;

const INFO = z.object({
  name: oneOf(['tensorflow', 'webgpu', 'openblas', 'wasm', 'cpu']),
  threads: integer({ min: 0 }),
  device: text(),
  blas: text().nullable(),
  notice: text().nullable(),
});
const ANSWER: z.ZodType<EngineAnswer> = z.union([
  z.object({ outcome: z.literal('works'), info: INFO, gigaflops: number({ min: 0 }) }),
  z.object({ outcome: oneOf(['refused', 'broken']), why: text() }),
]);
/** TensorFlow with CUDA takes half a minute on its first start. */
const MOST_SECONDS = 120;

/** Request of an engine; omitted values come from the environment. */
export interface EngineRequest {
  readonly engine: EngineName | 'auto';
  readonly device?: string | undefined;
  readonly threads?: number | undefined;
  /** Whether its speed is only estimated, from smaller products. */
  readonly isBrief?: boolean;
}

/** Tries an engine in another process, which may crash or hang without harm. @param program path of check-engine.js */
export async function askEngine(
  request: EngineRequest,
  program: string,
  run: RunCommand,
  options: CommandOptions = {},
): Promise<EngineAnswer> {
  let output: string;
  const { timeout = MOST_SECONDS } = options;
  const startedAt = performance.now();
  try {
    output = await run(process.execPath, [program, JSON.stringify(request)], { ...options, timeout });
  } catch (error) {
    if (!(error instanceof UserError)) throw error; // stopped by the user
    const isLate = performance.now() - startedAt >= 1000 * timeout;
    if (isLate && timeout < MOST_SECONDS) return unanswered(timeout);
    return { outcome: 'broken', why: messageOf(error).replace(process.execPath, 'the process that tried it') };
  }
  // A library may print lines of its own before.
  const answer = output.trim().split('\n').at(-1) ?? '';
  try {
    return ANSWER.parse(JSON.parse(answer));
  } catch {
    return { outcome: 'broken', why: `the process that tried it gave no proper answer: ${answer.slice(0, 200)}` };
  }
}

/** @param seconds of waiting; 0 where it was not tried */
export function unanswered(seconds: number): FailingEngine {
  const late = `no answer within ${Number(seconds.toFixed(1))} s`;
  return { outcome: 'unanswered', why: seconds === 0 ? 'not tried: the others took the time' : late };
}
