/** Options of a training run, and its surroundings. */
import type { Abortable } from '../../abortable.js';
import { UserError } from '../../errors.js';
import type { Communicator } from '../distributed/communicator.js';
import type { TrainingConfig } from '../config/training-config.js';
import type { Resume } from '../saving/resume.js';
import type { ScheduleOptions } from './schedule.js';
import type { TrainingObserver } from '../watching/training-observer.js';
import type { TrainingTask } from './training-task.js';

/** How to train; plain data: what a configuration file says, the length of the run in updates. */
export interface TrainerOptions extends Omit<TrainingConfig, 'schedule'> {
  readonly schedule: ScheduleOptions;
}

/** Where a run happens and who watches. */
export interface TrainerEnvironment {
  /** Folder of the run; made when missing. */
  readonly runDir: string;
  /** Whether to continue what is in `runDir`; by default a folder that holds a checkpoint already is refused. */
  readonly resume?: Resume;
  /** Aborting it makes the run save and stop before its next micro-batch (the command line ties SIGINT to it). */
  readonly signal?: Abortable | undefined;
  readonly observer?: TrainingObserver;
  /** First line of the log: configuration, engine, data. */
  readonly header?: Readonly<Record<string, unknown>>;
  /** Seconds from a fixed point. Default: the system's monotonic clock. */
  readonly now?: () => number;
  /** Connects this process with the other ranks of the run; without it there are none. The caller closes it. */
  readonly communicator?: Communicator;
}

/** Options of a run hold for its task. @throws UserError that names the option at fault */
export function checkTrainerOptions<Sample>(options: TrainerOptions, task: TrainingTask<Sample>): void {
  if (task.sampleCount < 1) throw new UserError('Training: the training set has no samples; check the data set.');
  if (task.variables.size === 0)
    throw new UserError('Training: no variable is trainable; check what is to be trained.');
  if (options.validateEvery > 0 && task.validate === undefined) {
    throw new UserError('Training options: validateEvery is set, but there is no validation set; set it to 0.');
  }
  if (options.validateEvery === 0 && options.bestMetric !== undefined) {
    throw new UserError('Training options: bestMetric is set, but validateEvery is 0; remove it or validate.');
  }
}
