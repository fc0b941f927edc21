/** Recognises folders of recorded reference results, and their system, by what is in them. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../errors.js';
import { readJson } from '../io/json/json-file.js';
import { type Subject, SUBJECTS } from './subjects.js';

export interface Recording {
  readonly subject: Subject;
  readonly folder: string;
}

export interface FoundRecordings {
  readonly recordings: readonly Recording[];
  /** Folders next to the recordings that cannot be verified, each with the reason as a sentence. */
  readonly leftOut: readonly string[];
}

/**
 * The recordings at `folder`: itself, or those in the folders directly below it.
 * @throws UserError when there is no such folder, when a recording lacks a file, or when there is no recording that can
 *   be verified
 */
export function findRecordings(folder: string): FoundRecordings {
  if (!existsSync(folder)) throw new UserError(`${folder}: no such folder`);
  if (!statSync(folder).isDirectory()) {
    throw new UserError(`${folder} is not a folder; verify takes folders of recorded results`);
  }
  const own = recognise(folder);
  if (own instanceof Unverifiable) throw new UserError(`${own.reason}. ${knownRecordings()}`);
  if (own !== null) return { recordings: [own], leftOut: [] };
  const recordings: Recording[] = [];
  const leftOut: string[] = [];
  const below = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  for (const name of below.map((entry) => entry.name).sort()) {
    const path = join(folder, name);
    const found = recognise(path);
    if (found === null) leftOut.push(`${path} holds no recorded results`);
    else if (found instanceof Unverifiable) leftOut.push(found.reason);
    else recordings.push(found);
  }
  if (recordings.length > 0) return { recordings, leftOut };
  throw new UserError(`${[`${folder} holds no recorded results`, ...leftOut].join('; ')}. ${knownRecordings()}`);
}

function knownRecordings(): string {
  const known = SUBJECTS.map(({ system, kind, telling }) => `${system} ${kind} (${telling})`);
  return `Known recordings, and the files that show them: ${known.join(', ')}`;
}

/** A recording of a system or kind that this version does not know. */
class Unverifiable {
  constructor(readonly reason: string) {}
}

/** The recording in a folder; null where nothing in it looks like one. */
function recognise(folder: string): Recording | Unverifiable | null {
  const has = (name: string): boolean => existsSync(join(folder, name));
  const candidates = SUBJECTS.filter(({ telling }) => has(telling));
  const [first] = candidates;
  if (first === undefined) return null;
  const subject = candidates.find((candidate) => has(candidate.json) && isOf(candidate, folder));
  if (subject === undefined && has(first.json)) {
    return new Unverifiable(`${folder} holds results of a system or kind that is not known here (by ${first.json})`);
  }
  const { kind, json, required = [] } = subject ?? first;
  const missing = [json, ...required].filter((name) => !has(name));
  if (subject !== undefined && missing.length === 0) return { subject, folder };
  throw new UserError(
    `${folder}: ${missing.join(', ')} is missing in this recording (${kind}); copy the whole folder again`,
  );
}

/** The key "system" decides; files without it show their system by keys that only its recordings have. */
function isOf({ system, json, mark }: Subject, folder: string): boolean {
  const path = join(folder, json);
  const root = readJson(path, 'the system of a recording');
  const named = at(root, ['system']);
  return typeof named === 'string' ? named === system : at(root, mark) !== undefined;
}

/** The value below nested keys; undefined where one of them is absent. */
function at(value: unknown, keys: readonly string[]): unknown {
  const [key, ...others] = keys;
  if (key === undefined || typeof value !== 'object' || value === null) return keys.length === 0 ? value : undefined;
  const values = value as Record<string, unknown>;
  const below = key === '*' ? Object.values(values)[0] : values[key];
  return at(below, others);
}
