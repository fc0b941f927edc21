/**
 * The checkpoints in a run's folder:
 *
 *     last/            from which the run is continued
 *     best/            of the best validation
 *     update-000400/   after that update; as many of the most recent ones as `keepCheckpoints` says
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { recoverDirectories } from '../../io/atomic/atomic-file.js';

export const LAST = 'last';
export const BEST = 'best';
const KEPT = /^update-(\d{6,15})$/;

export function keptName(update: number): string {
  return `update-${String(update).padStart(6, '0')}`;
}

export function isCheckpointName(name: string): boolean {
  return name === LAST || name === BEST || KEPT.test(name);
}

/** Puts checkpoints right whose writing was interrupted, and removes what is left of others. */
export function recoverRunFolder(runDir: string): void {
  recoverDirectories(runDir, isCheckpointName);
}

/** Names of the checkpoints, whatever state they are in. */
export function checkpointNames(runDir: string): string[] {
  return existsSync(runDir) ? readdirSync(runDir).filter(isCheckpointName) : [];
}

/**
 * Checkpoints to delete once `update` has been saved: all but the `keep` newest, and any newer than `update`, which
 * belong to a branch abandoned by a resume.
 */
export function outdatedCheckpoints(runDir: string, update: number, keep: number): string[] {
  if (keep === 0) return [];
  const kept = checkpointNames(runDir).flatMap((name) => {
    const digits = KEPT.exec(name)?.[1];
    return digits === undefined ? [] : [{ name, update: Number(digits) }];
  });
  const recent = kept
    .map((checkpoint) => checkpoint.update)
    .filter((other) => other < update)
    .sort((a, b) => b - a)
    .slice(0, keep - 1);
  const outdated = kept.filter((checkpoint) => checkpoint.update !== update && !recent.includes(checkpoint.update));
  return outdated.map(({ name }) => join(runDir, name));
}
