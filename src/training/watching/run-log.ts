/** Log of a run: `log.jsonl`, one JSON object per line, appended as it happens: a kill costs half a line at most. */
import { closeSync, existsSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { z } from 'zod';
import { UserError, messageOf } from '../../errors.js';
import { writeFileAtomic } from '../../io/atomic/atomic-file.js';
import { integer, number, oneOf, record, text } from '../../schema.js';

/** First line: whatever describes the run (configuration, engine, data, version). */
export interface HeaderRecord {
  readonly type: 'header';
  readonly [key: string]: unknown;
}

export interface UpdateRecord {
  readonly type: 'update';
  /** Updates done, this one included. */
  readonly update: number;
  /** Epochs done, as a fraction: samples drawn / samples in an epoch. */
  readonly epoch: number;
  readonly learningRate: number;
  /** Mean over the micro-batches; the total is 'loss'. */
  readonly losses: Readonly<Record<string, number>>;
  /** Global norm of the gradients before clipping. */
  readonly gradNorm: number;
  /** Duration of the update, waiting for data included. */
  readonly seconds: number;
  /** Since the run began, interruptions left out. */
  readonly elapsedSeconds: number;
  readonly samplesPerSecond: number;
  /** TensorFlow.js tensors alive after the update; the same after every one unless something leaks. */
  readonly numTensors: number;
  /** With several ranks: bytes that rank 0 sent in this update, and seconds that it spent in exchanges, waiting included. */
  readonly sentBytes?: number;
  readonly exchangeSeconds?: number;
  /** Where this update was measured (training.watchEvery): every part that trains (see watchedPartOf). */
  readonly parts?: Readonly<Record<string, PartFigures>>;
}

/** How a part of the model took part in an update. */
export interface PartFigures {
  /** Norm of its mean gradient before clipping; 0 where it had none. */
  readonly gradNorm: number;
  /** ‖Δw‖ / ‖w‖: the norm of what was added to its weights, relative to that of the weights before. */
  readonly updateRatio: number;
}

/** Figures on the validation set after `update` updates. */
export interface ValidationRecord {
  readonly type: 'validation';
  readonly update: number;
  readonly epoch: number;
  readonly metrics: Readonly<Record<string, number>>;
  readonly seconds: number;
  /** Whether this is the best so far by the metric that chooses the best checkpoint. */
  readonly isBest: boolean;
}

/** The run was continued from the checkpoint of this update. */
export interface ResumeRecord {
  readonly type: 'resume';
  readonly update: number;
  readonly [key: string]: unknown;
}

/** The best validation of a run so far, by the metric that chooses the best checkpoint. */
export interface BestResult {
  readonly update: number;
  readonly metric: string;
  readonly value: number;
}

/** How the run, or this part of it, ended. */
export interface TrainingEnd {
  readonly type: 'end';
  readonly update: number;
  /** All updates done, minutes used up, or stopped through the signal (SIGINT). */
  readonly reason: 'updates' | 'time' | 'aborted';
  readonly elapsedSeconds: number;
  /** The best validation, whose weights are in `best`. */
  readonly best: BestResult | null;
}

/** Sign that the run may not learn; each is given once. */
export interface AlarmRecord {
  readonly type: 'alarm';
  readonly update: number;
  readonly kind: AlarmKind;
  /** The part of the model that it is about; null for the run as a whole. */
  readonly part: string | null;
  /** Observation, and advice. */
  readonly message: string;
}

export const ALARM_KINDS = ['no gradient', 'flat loss', 'exploding gradient'] as const;
export type AlarmKind = (typeof ALARM_KINDS)[number];

export interface ErrorRecord {
  readonly type: 'error';
  readonly update: number;
  readonly message: string;
}

export type LogRecord =
  HeaderRecord | UpdateRecord | ValidationRecord | AlarmRecord | ResumeRecord | TrainingEnd | ErrorRecord;

export interface RunHistory {
  readonly header: HeaderRecord;
  readonly updates: readonly UpdateRecord[];
  readonly validations: readonly ValidationRecord[];
  readonly alarms: readonly AlarmRecord[];
  /** Everything, in order. */
  readonly records: readonly LogRecord[];
}

/** Larger files are not logs of ours (a long run has some 20 MB). */
const LARGEST_LOG = 256 * 1024 * 1024;

export class RunLog {
  private constructor(
    readonly path: string,
    private readonly file: number,
  ) {}

  /** Starts a log, replacing one that is there. */
  static create(path: string, header: Readonly<Record<string, unknown>>): RunLog {
    writeFileAtomic(path, line({ ...header, type: 'header' }));
    return RunLog.openToAppend(path);
  }

  /** Continues a log after `update`, without the records of later updates; starts one where there is none. */
  static resume(path: string, header: Readonly<Record<string, unknown>>, update: number): RunLog {
    if (!existsSync(path)) return RunLog.create(path, header);
    const kept = readRunLog(path).records.filter((record) => record.type === 'header' || record.update <= update);
    writeFileAtomic(path, kept.map(line).join('') + line({ ...header, type: 'resume', update }));
    return RunLog.openToAppend(path);
  }

  append(record: LogRecord): void {
    try {
      writeSync(this.file, line(record));
    } catch (error) {
      throw new UserError(`Cannot write to the training log ${this.path}: ${messageOf(error)}. Is the disk full?`);
    }
  }

  close(): void {
    closeSync(this.file);
  }

  private static openToAppend(path: string): RunLog {
    return new RunLog(path, openSync(path, 'a'));
  }
}

function line(record: LogRecord): string {
  return `${JSON.stringify(record)}\n`;
}

/** Reads a log, without a cut last line; null is NaN again. @throws UserError naming file and line of what is no log */
export function readRunLog(path: string): RunHistory {
  const lines = readText(path).split('\n').slice(0, -1);
  const records = lines.map((text, index) => parseLine(path, index + 1, text));
  const [header] = records;
  if (header?.type !== 'header') {
    throw new UserError(`Cannot read the training log ${path}: its first line is not a header; is it another file?`);
  }
  return {
    header,
    updates: records.filter((record) => record.type === 'update'),
    validations: records.filter((record) => record.type === 'validation'),
    alarms: records.filter((record) => record.type === 'alarm'),
    records,
  };
}

function readText(path: string): string {
  try {
    const { size } = statSync(path);
    if (size > LARGEST_LOG) throw new Error(`it has ${size} bytes, at most ${LARGEST_LOG} are expected`);
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new UserError(`Cannot read the training log ${path}: ${messageOf(error)}.`);
  }
}

function parseLine(path: string, line: number, json: string): LogRecord {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw new UserError(`Cannot read the training log ${path}: line ${line} is not JSON (${messageOf(error)}).`);
  }
  const { success, data } = RECORD.safeParse(value);
  if (success) return data as LogRecord;
  const type = typeof value === 'object' && value !== null && 'type' in value ? value.type : undefined;
  throw new UserError(
    `Cannot read the training log ${path}: line ${line} is not a record of a training run ` +
      `(type ${String(type)}); was it edited?`,
  );
}

/** A figure; JSON has no NaN: JSON.stringify wrote null. */
const FIGURE = number()
  .nullable()
  .transform((value) => value ?? NaN);
const FIGURES = record(FIGURE);
const UPDATE = integer();
/** The parts of records that are relied upon; others pass as they are. */
const RECORD = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('header') }),
  z.looseObject({
    type: z.literal('update'),
    update: UPDATE,
    epoch: number(),
    learningRate: number(),
    gradNorm: number(),
    seconds: number(),
    elapsedSeconds: number(),
    samplesPerSecond: number(),
    losses: FIGURES,
    parts: record(z.looseObject({ gradNorm: FIGURE, updateRatio: FIGURE })).optional(),
  }),
  z.looseObject({ type: z.literal('validation'), update: UPDATE, metrics: FIGURES }),
  z.looseObject({
    type: z.literal('alarm'),
    update: UPDATE,
    kind: oneOf(ALARM_KINDS),
    part: text().nullable(),
    message: text(),
  }),
  z.looseObject({ type: z.enum(['resume', 'end', 'error']), update: UPDATE }),
]);
