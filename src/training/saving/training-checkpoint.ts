/**
 * A point from which a run continues as if it had never stopped: a folder that is there completely or not at all, with
 *
 *     (the task's own files)    the weights, whole: a model folder for every other command
 *     optimizer*.safetensors    Adam's moments of every variable that has been updated (see moment-files.ts)
 *     state.json                update, data position, random state, steps of each variable, schedule, best so far
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { UserError, messageOf } from '../../errors.js';
import { jsonFile, type PendingFile } from '../../io/atomic/pending-file.js';
import { integer, list, number, object, type Read, readAs, record, text, without } from '../../schema.js';
import { isObject } from '../config/config-overrides.js';
import type { Communicator } from '../distributed/communicator.js';
import { momentFile, openMoments } from '../optimizer/moment-files.js';
import type { OptimizerRule } from '../optimizer/optimizer-rule.js';
import type { ScheduleOptions } from '../loop/schedule.js';
import type { TrainingTask } from '../loop/training-task.js';

const STATE_FILE = 'state.json';
/** Raised when the meaning of state.json changes. Format 1 has no `ranks`: it was always written by one. */
const FORMAT = 2;
/** state.json has a line per variable; even the largest models stay far below. */
const LARGEST_STATE = 64 * 1024 * 1024;
/** More ranks than any job has; bounds the files that are looked for. */
const MOST_RANKS = 100_000;
const count = integer({ min: 0 });
const size = integer({ min: 1 });
const seconds = number({ min: 0 });
/** The best validation so far. */
const BEST = object({ metric: text(), value: number(), update: count });

/** Where a run stands, between two updates. */
const STATE = object({
  /** Updates done. */
  update: count,
  /** Samples drawn. */
  position: count,
  /** Seconds of training so far, interruptions left out. */
  elapsedSeconds: seconds,
  seed: integer(),
  /** State of the generator from which all others are forked: order, draws, micro-batches. */
  random: list(integer({ min: -(2 ** 32) + 1, max: 2 ** 32 - 1 })).refine(
    (words) => words.length === 4 && words.some((word) => word !== 0),
    { error: 'four 32-bit words, not all 0' },
  ),
  sampleCount: size,
  batchSize: size,
  accumulation: size,
  schedule: z.custom<ScheduleOptions>(isObject, { error: 'an object' }),
  /** Update after which the last validation ran, so that an interrupted one is made up for. */
  validatedAt: count,
  best: BEST.nullable(),
});

/** state.json; it may have come from anywhere. */
const STATE_JSON = object({
  ...STATE.shape,
  format: z.literal([1, FORMAT], { error: `1 or ${FORMAT} (what this version reads)` }),
  /** Epochs done, for a reader. */
  epoch: seconds,
  /** Processes that wrote the moments. */
  ranks: integer({ min: 1, max: MOST_RANKS }).default(1),
  /** Adam's step count by variable. */
  steps: record(count),
});

export type TrainingState = Read<typeof STATE>;
type StateFile = Read<typeof STATE_JSON>;

/** A rank's part of a checkpoint, copied: its moments, and on rank 0 the weights. Not collective. */
export async function checkpointFiles<Sample>(
  state: TrainingState,
  optimizer: OptimizerRule,
  task: TrainingTask<Sample>,
  { rank, size }: Pick<Communicator, 'rank' | 'size'>,
): Promise<readonly PendingFile[]> {
  const moments = momentFile(await optimizer.moments(), optimizer.variables, rank, size);
  if (rank > 0) return [moments];
  const file: StateFile = {
    format: FORMAT,
    ...state,
    epoch: state.position / state.sampleCount,
    ranks: size,
    steps: Object.fromEntries(optimizer.steps),
  };
  return [...(await task.checkpointFiles()), moments, jsonFile(STATE_FILE, file)];
}

export function hasCheckpoint(dir: string): boolean {
  return existsSync(join(dir, STATE_FILE));
}

/**
 * Restores weights and optimiser, whatever number of ranks wrote them; all that can be is checked before any change.
 * @param accept throws if the run cannot go on from a state @throws UserError naming the file and key at fault
 */
export async function loadCheckpoint<Sample>(
  dir: string,
  optimizer: OptimizerRule,
  task: TrainingTask<Sample>,
  accept: (state: TrainingState) => void = (): void => undefined,
): Promise<TrainingState> {
  const { steps, ranks, ...rest } = readState(join(dir, STATE_FILE));
  const state = without(without(rest, 'format'), 'epoch');
  accept(state);
  const read = openMoments(dir, ranks, updatedVariables(dir, optimizer, steps));
  await task.restore(dir);
  optimizer.restore(read, steps);
  return state;
}

/** Updates done before a checkpoint. @throws UserError where its state cannot be read */
export function updateOfCheckpoint(dir: string): number {
  return readState(join(dir, STATE_FILE)).update;
}

/** Variables that have moments, the checkpoint's and ours being the same. */
function updatedVariables(
  dir: string,
  { variables }: OptimizerRule,
  steps: Readonly<Record<string, number>>,
): OptimizerRule['variables'] {
  const fail = (what: string): never => {
    throw new UserError(
      `Cannot continue training from ${join(dir, STATE_FILE)}: it ${what}. Was it made by a run of another model?`,
    );
  };
  const unknown = Object.keys(steps).find((name) => !variables.has(name));
  if (unknown !== undefined) fail(`counts steps of "${unknown}", which does not train here`);
  const missing = [...variables.keys()].find((name) => !Object.hasOwn(steps, name));
  if (missing !== undefined) fail(`has no steps of "${missing}", which trains here`);
  return new Map([...variables].filter(([name]) => steps[name] !== 0));
}

function readState(path: string): StateFile {
  const fail = (what: string): never => {
    throw new UserError(`Cannot continue training from ${path}: ${what}.`);
  };
  let json: unknown;
  try {
    const { size } = statSync(path);
    if (size > LARGEST_STATE) fail(`it has ${size} bytes, at most ${LARGEST_STATE} are expected`);
    json = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    return fail(messageOf(error));
  }
  return readAs(STATE_JSON, json, `Cannot continue training from ${path}`);
}
