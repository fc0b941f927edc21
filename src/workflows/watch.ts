/** Options that workflows share: callbacks for notes and progress, a signal to stop, a folder of features. */

import type { Abortable } from '../abortable.js';

/** How far a piece of work is; a new label, or a smaller `done`, begins another piece. */
export interface Progress {
  /** 'train', 'evaluate' */
  readonly label: string;
  readonly done: number;
  readonly total: number;
  /** Figures so far, e.g. 'loss 0.41'. */
  readonly note?: string;
}

/** Callbacks and the signal of a long piece of work. */
export interface Watch {
  /** A line about the course of the work. */
  readonly onNote?: (line: string) => void;
  readonly onProgress?: (progress: Progress) => void;
  /** Aborted: the work stops after its present step, and throws the signal's reason unless it says otherwise. */
  readonly signal?: Abortable | undefined;
}

/** A folder that keeps features of images from run to run; processes may share it. */
export interface FeatureCacheOptions {
  readonly dir: string;
  /** Its largest size, 10⁹ bytes; default 100. */
  readonly gigabytes?: number;
  /** f32 (default) is exact, bf16 takes half the room. */
  readonly dtype?: 'f32' | 'bf16';
}

/** Reports counts of one piece of work, and stops where the signal is aborted. Work of nothing is not reported. */
export function counted(
  { onProgress, signal }: Watch,
  label: string,
): (done: number, total: number, note?: string) => void {
  return (done, total, note) => {
    signal?.throwIfAborted();
    if (total > 0) onProgress?.({ label, done, total, ...(note === undefined ? {} : { note }) });
  };
}

/** 42 → '42 s', 192 → '3 min 12 s', 7500 → '2 h 5 min'. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
