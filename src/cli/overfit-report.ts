/** `gsva train --overfit`: whether the samples were learned by heart, and what to look at where they were not. */
import { join } from 'node:path';
import { judgeOverfit } from '../training/loop/overfit.js';
import type { TrainingConfig } from '../training/config/training-config.js';
import { readRunLog } from '../training/watching/run-log.js';
import type { VerbContext } from './verb.js';

export interface OverfitRequest {
  readonly samples: number;
  /** The highest loss at the end; null: a share of the first. */
  readonly bound: number | null;
}

/** @returns the exit code: 1 where the loss stayed above its bound */
export function reportOverfit(
  out: string,
  { samples, bound }: OverfitRequest,
  { batchSize, accumulation }: Pick<TrainingConfig, 'batchSize' | 'accumulation'>,
  context: VerbContext,
): number {
  const {
    loss,
    bound: limit,
    isReached,
    advice,
  } = judgeOverfit(readRunLog(join(out, 'log.jsonl')), {
    samples,
    samplesPerUpdate: batchSize * accumulation,
    bound,
  });
  const figures = `the loss of ${samples} samples is ${loss.toPrecision(3)}, the bound ${limit.toPrecision(3)}`;
  if (isReached) {
    context.output.line(`overfitted: ${figures}`);
    return 0;
  }
  context.note(`gsva train: --overfit failed: ${figures}.`);
  for (const line of advice) context.note(`  ${line}`);
  return 1;
}
