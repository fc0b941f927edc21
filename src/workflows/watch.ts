/** Options that every workflow takes: callbacks for notes and progress, and a signal to stop. */

/** How far a piece of work is; a new label, or a smaller `done`, begins another piece. */
export interface Progress {
  /** 'train', 'evaluate' */
  readonly label: string;
  readonly done: number;
  readonly total: number;
  /** Figures so far, e.g. 'loss 0.41'. */
  readonly note?: string;
}

export interface Watch {
  /** A line about the course of the work. */
  readonly onNote?: (line: string) => void;
  readonly onProgress?: (progress: Progress) => void;
  /** Aborted: the work stops after its present step, and throws the signal's reason unless it says otherwise. */
  readonly signal?: AbortSignal;
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
