/** Judgement on whether a demo has learned anything: figures of a run that was too short are no result. */
import type { Result } from '../evaluation/records/record-types.js';

export interface DemoCourse {
  /** Time that it was given to train. */
  readonly minutes: number;
  /** Time that its recipe is made for; null where it has none. */
  readonly recipeMinutes: number | null;
  readonly warmupUpdates: number;
  /** The loss of every update. */
  readonly losses: readonly number[];
  /** Figures of the same images by the same protocol. */
  readonly before: Pick<Result, 'gIoU' | 'N_acc' | 'T_acc'>;
  readonly after: Pick<Result, 'gIoU' | 'N_acc' | 'T_acc'>;
}

/** A run of less than this share of the recipe's time is short, */
const SHORT = 0.5;
/** unless it has come so far all the same, as on a fast machine. */
const LEARNED_GIOU = 0.6;
/** The last losses must fall below this share of the first. */
const FALLEN = 0.8;
/** The least rise of gIoU, */
const RISEN = 0.1;
/** and the least mean of N-acc and T-acc: a guess has 0.5. */
const DECIDES = 0.6;

/** The warning that stands before any figure; null where the run has learned. */
export function demoNotice(course: DemoCourse): string | null {
  const { minutes, recipeMinutes, warmupUpdates, losses, after } = course;
  const isShort = recipeMinutes !== null && minutes < SHORT * recipeMinutes;
  const unmoved = unmovedReason(course);
  if (!isShort && unmoved === null) return null;
  if (isShort && unmoved === null && (after.gIoU ?? 0) >= LEARNED_GIOU) return null;
  const made = `${losses.length} updates in ${minutes} minute${minutes === 1 ? '' : 's'}`;
  const warmup = losses.length <= warmupUpdates ? `, and the warm-up alone takes ${warmupUpdates}` : '';
  const why = unmoved === null ? '' : `; ${unmoved}`;
  if (isShort) {
    return (
      `Too short to learn: ${made}${warmup}; the recipe is made for ${recipeMinutes} minutes${why}. The figures are those ` +
      `of a model at the beginning of its training and no result. Use --minutes ${recipeMinutes}.`
    );
  }
  return (
    `Nothing learned: ${made}${warmup}${why}. The figures are no result. Give it more time (--minutes), or look for the ` +
    'reason as docs/is-it-learning.md says.'
  );
}

function unmovedReason({ losses, before, after }: DemoCourse): string | null {
  if (losses.length === 0) return 'no update was made';
  const tenth = Math.max(1, Math.floor(losses.length / 10));
  const [first, last] = [mean(losses.slice(0, tenth)), mean(losses.slice(-tenth))];
  if (!(last < FALLEN * first)) return `the loss went from ${first.toFixed(2)} to ${last.toFixed(2)}`;
  const [from, to] = [before.gIoU ?? 0, after.gIoU ?? 0];
  if (to - from < RISEN) return `gIoU went from ${from.toFixed(3)} to ${to.toFixed(3)}`;
  const decides = mean([after.N_acc ?? 0, after.T_acc ?? 0]);
  if (decides < DECIDES) return `the mean of N-acc and T-acc is ${decides.toFixed(3)}, a guess has 0.5`;
  return null;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
