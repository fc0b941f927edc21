/** Overfitting as a test of a training set-up: failure shows a part cut off, a wrong learning rate or wrong answers. */
import { UserError } from '../../errors.js';
import type { TrainingConfig } from '../config/training-config.js';
import type { RunHistory } from '../watching/run-log.js';
import { TOTAL_LOSS } from '../../nn/loss-parts.js';
import type { OverfitResult } from './overfit-result.js';
import type { TrainingTask } from './training-task.js';
import { gsvaCommand } from '../../program.js';

/** Settings for this, applied before those of the user. */
export const OVERFIT_OVERRIDES: readonly (readonly [key: string, value: unknown])[] = [
  ['training.validateEvery', 0],
  ['training.checkpointEvery', 0],
  ['training.bestMetric', null],
  ['training.watchEvery', 1],
  ['training.flatWindow', 50],
  ['training.schedule.totalEpochs', null],
  ['training.schedule.totalUpdates', 200],
  ['training.schedule.warmupUpdates', 10],
];

/** At the most this share of the first loss is left, unless a bound is given. */
export const OVERFIT_SHARE = 0.2;
/** This many positions in a row without a usable sample are not a few bad files. */
const MOST_PASSED_OVER = 1000;
/** Updates whose losses are averaged at the begin and at the end, where the samples do not take more. */
const AVERAGED_UPDATES = 5;

/** Repeats the task's first `count` usable samples with the same draws. @throws UserError where the task has fewer */
export function overfitTask<Sample>(task: TrainingTask<Sample>, count: number): TrainingTask<Sample> {
  if (count > task.sampleCount) {
    throw new UserError(
      `--overfit ${count}: the training set has ${task.sampleCount} samples; ask for as many at most.`,
    );
  }
  const samples: TrainingTask<Sample>['samples'] = (random, report) => {
    const stream = task.samples(random, report);
    let positions: Promise<readonly number[]> | null = null;
    return {
      at: async (position) => {
        positions ??= firstUsable(task, (at) => stream.at(at), count);
        return stream.at((await positions)[position % count] ?? 0);
      },
      close: async () => stream.close?.(),
    };
  };
  const fixed = { samples: { value: samples }, sampleCount: { value: count }, validate: { value: undefined } };
  return Object.create(task, fixed) as TrainingTask<Sample>;
}

async function firstUsable<Sample>(
  task: TrainingTask<Sample>,
  sampleAt: (position: number) => Promise<Sample | null>,
  count: number,
): Promise<readonly number[]> {
  const positions: number[] = [];
  for (let position = 0; positions.length < count; position++) {
    const sample = await sampleAt(position);
    if (sample !== null) {
      task.release?.(sample);
      positions.push(position);
    } else if (position - (positions.at(-1) ?? 0) > MOST_PASSED_OVER) {
      throw new UserError(`--overfit ${count}: only ${positions.length} samples can be used; check the data.`);
    }
  }
  return positions;
}

/** The same training with updates of at most `count` samples, as far as each rank must have one. */
export function withinSamples(training: TrainingConfig, count: number, ranks: number): TrainingConfig {
  const own = Math.max(1, Math.floor(count / ranks));
  const batchSize = Math.min(training.batchSize, own);
  return { ...training, batchSize, accumulation: Math.min(training.accumulation, Math.floor(own / batchSize)) };
}

/** @param bound null: OVERFIT_SHARE of the loss of the first updates @throws UserError where no update was made */
export function judgeOverfit(
  { updates, alarms }: Pick<RunHistory, 'updates' | 'alarms'>,
  { samples, samplesPerUpdate, bound }: { samples: number; samplesPerUpdate: number; bound: number | null },
): OverfitResult {
  const averaged = Math.max(AVERAGED_UPDATES, Math.ceil(samples / samplesPerUpdate));
  const meanOf = (part: readonly (typeof updates)[number][], name: string): number =>
    part.reduce((sum, { losses }) => sum + (losses[name] ?? NaN), 0) / part.length;
  const [first, last] = [updates.slice(0, averaged), updates.slice(-averaged)];
  const end = last.at(-1);
  if (end === undefined) throw new UserError('--overfit: no update was made. Allow more updates, or more minutes.');
  const before = meanOf(first, TOTAL_LOSS);
  const loss = meanOf(last, TOTAL_LOSS);
  const limit = bound ?? OVERFIT_SHARE * before;
  if (loss <= limit) return { loss, bound: limit, isReached: true, advice: [] };
  const names = Object.keys(end.losses).filter((name) => name !== TOTAL_LOSS);
  const course = names.map(
    (name) => `${name} ${meanOf(first, name).toPrecision(3)} → ${meanOf(last, name).toPrecision(3)}`,
  );
  const highest = [...names].sort((a, b) => meanOf(last, b) - meanOf(last, a))[0];
  const parts = [...new Set(updates.flatMap((update) => Object.keys(update.parts ?? {})))];
  const never = (figure: 'gradNorm' | 'updateRatio'): string[] =>
    parts.filter((part) => updates.every((update) => !((update.parts?.[part]?.[figure] ?? 0) > 0)));
  const [silent, still] = [never('gradNorm'), never('updateRatio')];
  const unmoved = still.filter((part) => !silent.includes(part));
  const advice = [
    ...(course.length === 0
      ? []
      : [`parts of the loss, first → last: ${course.join(', ')}; the highest is ${highest ?? ''}`]),
    ...(silent.length === 0 ? [] : [`no gradient ever reached: ${silent.join(', ')}`]),
    ...(unmoved.length === 0
      ? []
      : [
          `these had gradients, but did not move: ${unmoved.join(', ')}; look at the learning rate and its multipliers`,
        ]),
    ...alarms.map(({ update, message }) => `update ${update}: ${message}`),
    loss < before / 2
      ? 'It learns: give it more updates (--set training.schedule.totalUpdates=500), or a higher bound (--overfit-bound).'
      : `Look at the samples and their answers (${gsvaCommand('data show SET')}), at the learning rate (too low: update ratios ` +
        'far below ' +
        '1e-3 in log.jsonl; too high: a loss that jumps), and at what is frozen.',
  ];
  return { loss, bound: limit, isReached: false, advice };
}
