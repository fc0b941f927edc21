/** Length of a run that continues: that of all sittings together, since the learning rate decays by it. */
import { UsageError } from '../../errors.js';
import type { TrainingState } from '../saving/training-checkpoint.js';

/** Length of the run so far, by its checkpoint. */
type Saved = Pick<TrainingState, 'update' | 'elapsedSeconds' | 'schedule'>;

/** @throws UsageError where another length than before is asked for, and it is over already */
export function refuseSpentLength(saved: Saved, wanted: TrainingState['schedule']): void {
  const { update, elapsedSeconds, schedule } = saved;
  const minutes = elapsedSeconds / 60;
  const { maxMinutes, totalUpdates } = wanted;
  if (maxMinutes !== undefined && maxMinutes !== schedule.maxMinutes && maxMinutes <= minutes) {
    throw new UsageError(
      `--minutes (training.schedule.maxMinutes) ${maxMinutes} is the time of the whole run, all sittings together, and ` +
        `this run has trained for ${minutesText(minutes)} already: name the sum, --minutes ` +
        `${Math.ceil((minutes + maxMinutes) * 10) / 10} for ${maxMinutes} more`,
    );
  }
  if (totalUpdates !== schedule.totalUpdates && totalUpdates <= update) {
    throw new UsageError(
      `training.schedule.totalUpdates ${totalUpdates} is the length of the whole run, and this run has made ${update} ` +
        `updates already: name the sum, ${update + totalUpdates} for ${totalUpdates} more`,
    );
  }
}

/** The note for a run with nothing left to do; null where something is. */
export function completeNote({ update, elapsedSeconds, schedule }: Saved): string | null {
  const { maxMinutes, totalUpdates } = schedule;
  const more = 'The run is complete: ';
  if (update >= totalUpdates) {
    return `${more}its ${totalUpdates} updates are done; a higher training.schedule.totalUpdates goes on.`;
  }
  if (maxMinutes === undefined || elapsedSeconds < 60 * maxMinutes) return null;
  return `${more}its ${minutesText(maxMinutes)} are over, after ${update} updates; a higher --minutes goes on.`;
}

/** How the length changes; null where something else of the schedule does, or nothing. */
export function minutesChange({ elapsedSeconds, schedule }: Saved, wanted: TrainingState['schedule']): string | null {
  const others = ({ maxMinutes: _, ...rest }: TrainingState['schedule']): string => JSON.stringify(rest);
  if (others(schedule) !== others(wanted) || schedule.maxMinutes === wanted.maxMinutes) return null;
  const [before, now] = [schedule.maxMinutes, wanted.maxMinutes].map((minutes) =>
    minutes === undefined ? 'no limit of time' : `${minutesText(minutes)} in all`,
  );
  return `The run goes on to ${now ?? ''} (before: ${before ?? ''}); ${minutesText(elapsedSeconds / 60)} of them are used.`;
}

function minutesText(minutes: number): string {
  return `${Number(minutes.toFixed(1))} minutes`;
}
