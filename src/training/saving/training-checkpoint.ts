/**
 * A point from which a run continues as if it had never stopped: a folder that is there completely or not at all, with
 *
 *     (the task's own files)    the weights, whole: a model folder for every other command
 *     optimizer*.safetensors    Adam's moments of every variable that has been updated (see moment-files.ts)
 *     state.json                update, data position, random state, steps of each variable, schedule, best so far
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { UserError, messageOf } from '../../errors.js';
import { jsonFile, type PendingFile } from '../../io/atomic/pending-file.js';
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
/** More ranks than any job has: so many files would be looked for. */
const MOST_RANKS = 100_000;

/** The best validation so far. */
export interface BestResult {
  readonly metric: string;
  readonly value: number;
  readonly update: number;
}

/** Where a run stands, between two updates. */
export interface TrainingState {
  /** Updates done. */
  readonly update: number;
  /** Samples drawn. */
  readonly position: number;
  /** Seconds of training so far, interruptions left out. */
  readonly elapsedSeconds: number;
  readonly seed: number;
  /** State of the generator from which all others are forked: order, draws, micro-batches. */
  readonly random: readonly number[];
  readonly sampleCount: number;
  readonly batchSize: number;
  readonly accumulation: number;
  readonly schedule: ScheduleOptions;
  /** Update after which the last validation ran, so that an interrupted one is made up for. */
  readonly validatedAt: number;
  readonly best: BestResult | null;
}

interface StateFile extends TrainingState {
  readonly format: number;
  /** Epochs done, for a reader. */
  readonly epoch: number;
  /** Processes that wrote the moments. */
  readonly ranks?: number;
  /** Adam's step count by variable. */
  readonly steps: Readonly<Record<string, number>>;
}

/**
 * What this rank has to write of a checkpoint, in memory of its own: training may go on. Rank 0 writes the weights, and
 * each rank the moments that it holds. Not collective.
 */
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

/** Whether there is a checkpoint at `dir`. */
export function hasCheckpoint(dir: string): boolean {
  return existsSync(join(dir, STATE_FILE));
}

/**
 * Restores the task's weights and the optimiser from a checkpoint, written by any number of ranks. All that can be
 * checked without reading every number is checked before anything is changed.
 * @param accept looks at the state first; throws if the run cannot be continued from it
 * @throws UserError that names the file and key at fault
 */
export async function loadCheckpoint<Sample>(
  dir: string,
  optimizer: OptimizerRule,
  task: TrainingTask<Sample>,
  accept: (state: TrainingState) => void = (): void => undefined,
): Promise<TrainingState> {
  const file = readState(join(dir, STATE_FILE));
  const { steps, ranks = 1 } = file;
  const state = stateOf(file);
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

/** What a file tells, without what it says of itself. */
function stateOf(file: StateFile): TrainingState {
  const { update, position, elapsedSeconds, seed, random, sampleCount, batchSize, accumulation } = file;
  const { schedule, validatedAt, best } = file;
  return {
    ...{ update, position, elapsedSeconds, seed, random, sampleCount, batchSize, accumulation },
    ...{ schedule, validatedAt, best },
  };
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
  if (!isObject(json)) return fail('it is not a JSON object');
  for (const [key, { is, expected }] of Object.entries(STATE_KEYS)) {
    if (!is(json[key])) fail(`"${key}" must be ${expected}, found ${JSON.stringify(json[key] ?? null).slice(0, 100)}`);
  }
  const strange = Object.keys(json).find((key) => !Object.hasOwn(STATE_KEYS, key));
  if (strange !== undefined) fail(`it has the unknown key "${strange}"`);
  return json as unknown as StateFile;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

interface Rule {
  readonly is: (value: unknown) => boolean;
  readonly expected: string;
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0;
const isNumber = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value);
const COUNT: Rule = { is: isCount, expected: 'a whole number from 0 up' };
const POSITIVE: Rule = { is: (value) => isCount(value) && value !== 0, expected: 'a whole number from 1 up' };
const SECONDS: Rule = { is: (value) => isNumber(value) && Number(value) >= 0, expected: 'a number from 0 up' };

/** What state.json must hold; it may have come from anywhere. */
const STATE_KEYS: Readonly<Record<keyof StateFile, Rule>> = {
  format: { is: (value) => value === 1 || value === FORMAT, expected: `1 or ${FORMAT} (what this version reads)` },
  update: COUNT,
  position: COUNT,
  epoch: SECONDS,
  elapsedSeconds: SECONDS,
  seed: { is: (value) => Number.isSafeInteger(value), expected: 'a whole number' },
  random: {
    is: (value) =>
      Array.isArray(value) &&
      value.length === 4 &&
      value.every((word) => Number.isInteger(word) && Math.abs(Number(word)) < 2 ** 32) &&
      value.some((word) => word !== 0),
    expected: 'four 32-bit words, not all 0',
  },
  sampleCount: POSITIVE,
  batchSize: POSITIVE,
  accumulation: POSITIVE,
  schedule: { is: isObject, expected: 'an object' },
  validatedAt: COUNT,
  best: {
    is: (value) =>
      value === null ||
      (isObject(value) && typeof value.metric === 'string' && isNumber(value.value) && isCount(value.update)),
    expected: 'null or { metric, value, update }',
  },
  ranks: {
    is: (value) => value === undefined || (isCount(value) && Number(value) >= 1 && Number(value) <= MOST_RANKS),
    expected: `a whole number from 1 to ${MOST_RANKS}`,
  },
  steps: {
    is: (value) => isObject(value) && Object.values(value).every(isCount),
    expected: 'an object of whole numbers',
  },
};
