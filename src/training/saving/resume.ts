/** Start of a run where an older part may exist: new, from `last`, or from the newest checkpoint that loads. */
import { join } from 'node:path';
import { UsageError, UserError } from '../../errors.js';
import type { CheckpointedRun } from './checkpoint-writer.js';
import { completeNote, minutesChange, refuseSpentLength } from '../loop/resumed-length.js';
import { BEST, checkpointNames, LAST, recoverRunFolder } from './run-folder.js';
import { hasCheckpoint, loadCheckpoint, type TrainingState, updateOfCheckpoint } from './training-checkpoint.js';

type Run<Sample> = Pick<CheckpointedRun<Sample>, 'runDir' | 'task' | 'optimizer' | 'communicator' | 'observer'>;

/** Continuation of a run: false: never; true: from `last`; 'auto': from the newest checkpoint that loads, if any. */
export type Resume = boolean | 'auto';

/**
 * Takes over a checkpoint; null where the run begins new. Collective.
 * @param wanted by this run; differences are refused or noted @throws UserError where older checkpoints would be lost;
 * UsageError where it is over
 */
export async function startingPoint<Sample>(run: Run<Sample>, resume: Resume, wanted: TrainingState) {
  const { runDir, communicator } = run;
  // By one process, before others look at them.
  if (communicator.rank === 0) recoverRunFolder(runDir);
  await communicator.barrier();
  if (resume === 'auto') return newest(run, wanted);
  const last = join(runDir, LAST);
  if (resume) {
    if (hasCheckpoint(last)) return load(run, last, wanted);
    throw new UserError(`Cannot resume training: there is no checkpoint at ${last}. Start without --resume.`);
  }
  if (!hasCheckpoint(last) && !hasCheckpoint(join(runDir, BEST))) return null;
  throw new UserError(
    `Cannot start training in ${runDir}: it holds a run already. Continue that run with --resume, or choose ` +
      'another folder.',
  );
}

async function newest<Sample>(run: Run<Sample>, wanted: TrainingState): Promise<TrainingState | null> {
  const { runDir, communicator, observer } = run;
  const own = communicator.rank === 0 ? JSON.stringify(candidates(runDir)) : '';
  const [first = '[]'] = await communicator.textsOf(own);
  const problems: string[] = [];
  for (const { name, problem } of JSON.parse(first) as Candidate[]) {
    const found = problem ?? (await tried(run, join(runDir, name), wanted));
    if (typeof found !== 'string') return found;
    problems.push(found);
    observer.onMessage?.(`${join(runDir, name)} is not used: ${found} An older checkpoint is looked for.`);
  }
  if (problems.length > 0) {
    throw new UserError(
      `Cannot resume training in ${runDir}: of ${problems.length} checkpoints none can be used. ${problems[0] ?? ''} ` +
        'Correct what is wrong, or choose another folder for a new run.',
    );
  }
  observer.onMessage?.(`There is no checkpoint in ${runDir} yet: the training starts from the beginning.`);
  return null;
}

interface Candidate {
  readonly name: string;
  readonly update: number;
  /** Why it cannot be used, as far as its state tells. */
  readonly problem: string | null;
}

/** All checkpoints, the most recent one first; those whose state cannot be read before all others. */
function candidates(runDir: string): Candidate[] {
  const all = checkpointNames(runDir).map((name): Candidate => {
    try {
      return { name, update: updateOfCheckpoint(join(runDir, name)), problem: null };
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      return { name, update: Number.MAX_SAFE_INTEGER, problem: error.message };
    }
  });
  return all.sort((a, b) => b.update - a.update || Number(b.name === LAST) - Number(a.name === LAST));
}

/** Loads a checkpoint if it loads on every rank. Collective. @returns its state, or why it cannot be used */
async function tried<Sample>(run: Run<Sample>, dir: string, wanted: TrainingState): Promise<TrainingState | string> {
  let state: TrainingState | null = null;
  let own = '';
  try {
    state = await load(run, dir, wanted);
  } catch (error) {
    // An older checkpoint is no answer to a wrong command line; all ranks see the same.
    if (!(error instanceof UserError) || error instanceof UsageError) throw error;
    own = error.message;
  }
  const failure = (await run.communicator.textsOf(own)).find((message) => message !== '');
  return failure ?? state ?? own;
}

async function load<Sample>(run: Run<Sample>, dir: string, wanted: TrainingState): Promise<TrainingState> {
  const { task, optimizer, observer } = run;
  const saved = await loadCheckpoint(dir, optimizer, task, ({ seed, sampleCount }) => {
    if (seed === wanted.seed && sampleCount === wanted.sampleCount) return;
    throw new UserError(
      `Cannot continue training from ${dir}: it was made with seed ${seed} and ${sampleCount} samples, ` +
        `this run has seed ${wanted.seed} and ${wanted.sampleCount}, so the data would come in another ` +
        'order. Use the same configuration and data.',
    );
  });
  const { batchSize, accumulation, schedule } = wanted;
  refuseSpentLength(saved, schedule);
  const change = minutesChange(saved, schedule);
  for (const [key, now] of Object.entries({ batchSize, accumulation, schedule })) {
    const before = JSON.stringify(saved[key as 'batchSize' | 'accumulation' | 'schedule']);
    if (before === JSON.stringify(now)) continue;
    const said = `The run was saved with ${key} ${before}; it goes on with ${JSON.stringify(now)}.`;
    observer.onMessage?.(key === 'schedule' ? (change ?? said) : said);
  }
  const complete = completeNote({ ...saved, schedule });
  observer.onMessage?.(complete ?? `Continuing from ${dir} after update ${saved.update}.`);
  return { ...saved, batchSize, accumulation, schedule };
}
