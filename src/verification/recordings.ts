/** Folders of recorded reference results: recognised, with their system, by what is in them, and verified. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, UserError } from '../errors.js';
import type { ModelSource } from '../inference/model-source.js';
import { readJson } from '../io/json/json-file.js';
import { isSigned, listedFiles, verifyManifest } from './manifest.js';
import { type Subject, SUBJECTS } from './subjects.js';
import { toleranceItem, type VerifyItem } from './verify-item.js';

/** Figures of a recording, next to the file of its kind. */
const CASE_FILE = 'case.json';

interface Recording {
  readonly subject: Subject;
  readonly folder: string;
}

/**
 * Recordings at `folder`, or directly below it.
 * @returns in `leftOut` the folders next to them that cannot be verified, each with the reason as a sentence
 * @throws UserError where there are none, or one lacks a file
 */
export function findRecordings(folder: string): {
  readonly recordings: readonly Recording[];
  readonly leftOut: readonly string[];
} {
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
  const present = SUBJECTS.filter(({ telling }) => has(telling));
  // A signed recording that has lost this file must not pass for no recording.
  const candidates = present.length > 0 ? present : SUBJECTS.filter(({ telling }) => listedFiles(folder).has(telling));
  const [first] = candidates;
  if (first === undefined) return null;
  const subject = candidates.find((candidate) => has(candidate.json) && isOf(candidate, folder));
  if (subject === undefined && has(first.telling) && has(first.json)) {
    return new Unverifiable(`${folder} holds results of a system or kind that is not known here (by ${first.json})`);
  }
  const { kind, telling, json, required = [] } = subject ?? first;
  const missing = [telling, json, ...required].filter((name) => !has(name));
  if (subject !== undefined && missing.length === 0) return { subject, folder };
  throw new UserError(
    `${folder}: ${missing.join(', ')} is missing in this recording (${kind}); copy the whole folder again`,
  );
}

/** The key "system" decides; recordings without it show their system by keys that no other system has. */
function isOf({ system, json, mark }: Subject, folder: string): boolean {
  const read = (name: string): unknown => readJson(join(folder, name), 'the system of a recording');
  const files = [json, CASE_FILE].filter((name) => existsSync(join(folder, name)));
  const named = files.map((name) => at(read(name), ['system'])).find((name) => typeof name === 'string');
  return named === undefined ? at(read(json), mark) !== undefined : named === system;
}

/** The value below nested keys; undefined where one of them is absent. */
function at(value: unknown, keys: readonly string[]): unknown {
  return keys.reduce<unknown>((place, key) => {
    if (typeof place !== 'object' || place === null) return undefined;
    return key === '*' ? Object.values(place)[0] : (place as Record<string, unknown>)[key];
  }, value);
}

/** One recording's outcome; what could not be compared at all is an item that did not pass. */
export interface Verification {
  readonly folder: string;
  readonly system: string;
  readonly kind: string;
  /** Whether the folder holds a manifest of its files. */
  readonly signed: boolean;
  readonly pass: boolean;
  readonly items: readonly VerifyItem[];
  readonly seconds: number;
}

/** A failing check of the files does not keep the numbers from being shown, nor the other way round. */
export async function verifyRecording(recording: Recording, source: ModelSource | null): Promise<Verification> {
  const { folder, subject } = recording;
  const { system, kind } = subject;
  const startedAt = performance.now();
  const items = [
    ...(await itemsOf('files unaltered', () => verifyManifest(folder))),
    ...(await itemsOf(`${kind} comparison`, () => subject.verify(folder, source))),
  ];
  const pass = items.every((item) => item.pass);
  const seconds = (performance.now() - startedAt) / 1000;
  return { folder, system, kind, signed: isSigned(folder), pass, items, seconds };
}

/** The items, or one failed item with the reason for their absence: an empty comparison proves nothing. */
async function itemsOf(name: string, verify: () => VerifyItem[] | Promise<VerifyItem[]>): Promise<VerifyItem[]> {
  const failed = (detail: string): VerifyItem[] => [toleranceItem(name, Infinity, 0, detail)];
  try {
    const items = await verify();
    return items.length > 0 ? items : failed('nothing was compared');
  } catch (error) {
    return failed(messageOf(error));
  }
}
