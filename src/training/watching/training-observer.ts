/** Events of a training run for whoever watches it: the command line draws bars, tests collect them. */
import type { AlarmRecord, TrainingEnd, UpdateRecord, ValidationRecord } from './run-log.js';

export interface TrainingProgress {
  readonly update: number;
  /** Updates that the run has at most. */
  readonly totalUpdates: number;
  /** The larger of the updates' and the time's share, in [0, 1]. */
  readonly fraction: number;
  /** Seconds since the run began, interruptions left out. */
  readonly elapsedSeconds: number;
  /** Seconds until the end at the present speed. */
  readonly remainingSeconds: number;
}

export interface TrainingObserver {
  /** The run begins, or goes on after `update` updates. */
  onStart?(start: { readonly update: number }): void;
  onUpdate?(record: UpdateRecord, progress: TrainingProgress): void;
  onValidation?(record: ValidationRecord): void;
  onAlarm?(record: AlarmRecord): void;
  /** A checkpoint is complete at `dir`, while later updates may have been made; on rank 0. */
  onCheckpoint?(checkpoint: {
    readonly dir: string;
    readonly kind: 'last' | 'best' | 'update';
    readonly update: number;
  }): void;
  onMessage?(message: string): void;
  onEnd?(end: TrainingEnd): void;
}

/** Calls of a program while its training runs. */
export type TrainingCalls = Pick<TrainingObserver, 'onUpdate' | 'onValidation' | 'onAlarm' | 'onCheckpoint'>;

/** One observer that notifies all of these, in order. */
export function observers(...all: readonly TrainingObserver[]): TrainingObserver {
  return {
    onStart: (start) => all.forEach((one) => one.onStart?.(start)),
    onUpdate: (record, progress) => all.forEach((one) => one.onUpdate?.(record, progress)),
    onValidation: (record) => all.forEach((one) => one.onValidation?.(record)),
    onAlarm: (record) => all.forEach((one) => one.onAlarm?.(record)),
    onCheckpoint: (checkpoint) => all.forEach((one) => one.onCheckpoint?.(checkpoint)),
    onMessage: (message) => all.forEach((one) => one.onMessage?.(message)),
    onEnd: (end) => all.forEach((one) => one.onEnd?.(end)),
  };
}
