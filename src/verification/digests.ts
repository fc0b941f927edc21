/** Tells whether a folder of recorded reference results is as it was recorded. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { UserError, messageOf } from '../errors.js';
import { PHOTOGRAPHS, REFERENCE_DIGESTS } from './reference-digests.js';
import type { RecordingKind } from './reference-digests.js';
import type { VerifyItem } from './verify-item.js';

export type { RecordingKind } from './reference-digests.js';

/**
 * Compares every file of a recording with its SHA-256.
 * @returns one item whose error is the number of altered or missing files; the photographs of `images` and the
 *   pictures made from them may be absent, since they are not kept with the sources
 * @throws UserError when the folder is missing or a file cannot be read
 */
export async function verifyDigests(kind: RecordingKind, dir: string): Promise<VerifyItem[]> {
  if (statSync(dir, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new UserError(`There is no folder ${dir} with recorded results (${kind}); check the path.`);
  }
  const faults: string[] = [];
  const digests = Object.entries(REFERENCE_DIGESTS[kind]);
  for (const [name, digest] of digests) {
    const path = join(dir, name);
    if (!existsSync(path)) {
      if (!mayBeAbsent(kind, name)) faults.push(`${name} is missing`);
    } else if (sha256(path) !== digest) {
      faults.push(`${name} is altered`);
    }
  }
  const listed = faults.slice(0, 3).join(', ') + (faults.length > 3 ? ` and ${faults.length - 3} more` : '');
  const detail = faults.length === 0 ? `${digests.length} files` : listed;
  return [{ item: 'files unaltered', largestError: faults.length, tolerance: 0, pass: faults.length === 0, detail }];
}

function mayBeAbsent(kind: RecordingKind, name: string): boolean {
  return kind === 'images' && PHOTOGRAPHS.some((photograph) => name.startsWith(photograph));
}

function sha256(path: string): string {
  try {
    return createHash('sha256').update(readFileSync(path)).digest('hex');
  } catch (error) {
    throw new UserError(`Cannot read the recording ${path}: ${messageOf(error)}.`);
  }
}
