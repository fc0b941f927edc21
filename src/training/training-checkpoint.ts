/**
 * A point from which a run continues as if it had never stopped: a folder that is there completely or not at all, with
 *
 *     (the task's own files)    the weights
 *     optimizer.safetensors     "m.NAME" and "v.NAME", Adam's moments of every variable that has been updated
 *     state.json                update, data position, random state, steps of each variable, schedule, best so far
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '../engine/tf.js';
import { UserError, messageOf } from '../errors.js';
import { recoverDirectory, writeDirectoryAtomic, writeFileAtomic } from '../io/atomic-file.js';
import { writeSafetensors, type TensorToStore } from '../io/safetensors-writer.js';
import { readSafetensors, type StoredTensor } from '../io/safetensors.js';
import type { OptimizerRule } from './optimizer-rule.js';
import type { ScheduleOptions } from './schedule.js';
import type { TrainingTask } from './training-task.js';

const STATE_FILE = 'state.json';
const OPTIMIZER_FILE = 'optimizer.safetensors';
/** Raised when the meaning of state.json changes. */
const FORMAT = 1;
/** state.json has a line per variable; even the largest models stay far below. */
const LARGEST_STATE = 64 * 1024 * 1024;

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
  /** Adam's step count by variable. */
  readonly steps: Readonly<Record<string, number>>;
}

/**
 * Writes a checkpoint; one that is there is replaced only when the new one is complete. Of several ranks, all call this
 * and one writes.
 */
export async function saveCheckpoint<Sample>(
  dir: string,
  state: TrainingState,
  optimizer: OptimizerRule,
  task: TrainingTask<Sample>,
): Promise<void> {
  const moments = await optimizer.moments();
  if (moments === null) return;
  const tensors = new Map<string, TensorToStore>();
  for (const [name, { shape, m, v }] of moments) {
    tensors.set(`m.${name}`, { shape, data: m });
    tensors.set(`v.${name}`, { shape, data: v });
  }
  const file: StateFile = {
    format: FORMAT,
    ...state,
    epoch: state.position / state.sampleCount,
    steps: Object.fromEntries(optimizer.steps),
  };
  await writeDirectoryAtomic(dir, async (temporary) => {
    await task.checkpointFiles(temporary);
    writeSafetensors(join(temporary, OPTIMIZER_FILE), tensors);
    writeFileAtomic(join(temporary, STATE_FILE), `${JSON.stringify(file, null, 2)}\n`);
  });
}

/** Whether there is a checkpoint at `dir`, also one whose writing was interrupted at its very end. */
export function hasCheckpoint(dir: string): boolean {
  recoverDirectory(dir);
  return existsSync(join(dir, STATE_FILE));
}

/**
 * Restores the task's weights and the optimiser from a checkpoint. Everything is checked before anything is changed.
 * @param accept looks at the state first; throws if the run cannot be continued from it
 * @throws UserError that names the file and key at fault
 */
export async function loadCheckpoint<Sample>(
  dir: string,
  optimizer: OptimizerRule,
  task: TrainingTask<Sample>,
  accept: (state: TrainingState) => void = (): void => undefined,
): Promise<TrainingState> {
  recoverDirectory(dir);
  const { steps, ...state } = readState(join(dir, STATE_FILE));
  accept(state);
  const moments = readMoments(join(dir, OPTIMIZER_FILE), optimizer, steps);
  await task.restore(dir);
  optimizer.restore(moments, steps);
  return state;
}

function readMoments(
  path: string,
  optimizer: OptimizerRule,
  steps: Readonly<Record<string, number>>,
): ReadonlyMap<string, { readonly m: Float32Array; readonly v: Float32Array }> {
  const { tensors } = readSafetensors(path);
  const fail = (what: string): never => {
    throw new UserError(`Cannot continue training from ${path}: ${what}. Was it made by a run of another model?`);
  };
  const take = (key: string, shape: readonly number[]): Float32Array => {
    const tensor: StoredTensor | undefined = tensors.get(key);
    if (!(tensor?.data instanceof Float32Array)) return fail(`it has no float32 tensor "${key}"`);
    if (!tf.util.arraysEqual([...tensor.shape], [...shape])) {
      fail(`"${key}" has shape [${tensor.shape.join(', ')}], expected [${shape.join(', ')}]`);
    }
    tensors.delete(key);
    return tensor.data;
  };
  const unknown = Object.keys(steps).find((name) => !optimizer.variables.has(name));
  if (unknown !== undefined) fail(`${STATE_FILE} beside it counts steps of "${unknown}", which does not train here`);
  const moments = new Map<string, { m: Float32Array; v: Float32Array }>();
  for (const [name, variable] of optimizer.variables) {
    const step = steps[name];
    if (step === undefined) fail(`${STATE_FILE} beside it has no steps of "${name}", which trains here`);
    if (step === 0) continue;
    moments.set(name, { m: take(`m.${name}`, variable.shape), v: take(`v.${name}`, variable.shape) });
  }
  const [left] = tensors.keys();
  if (left !== undefined) fail(`it has the tensor "${left}", which belongs to no updated variable`);
  return moments;
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
  format: { is: (value) => value === FORMAT, expected: `${FORMAT} (the format that this version reads)` },
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
  steps: {
    is: (value) => isObject(value) && Object.values(value).every(isCount),
    expected: 'an object of whole numbers',
  },
};
