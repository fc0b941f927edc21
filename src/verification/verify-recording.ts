/** Verifies one recording: its files against their digests, then the numbers. */
import { messageOf } from '../errors.js';
import type { ModelSource } from '../inference/model-source.js';
import { isSigned, verifyManifest } from './manifest.js';
import type { Recording } from './recordings.js';
import type { VerifyItem } from './verify-item.js';

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
  return {
    folder,
    system,
    kind,
    signed: isSigned(folder),
    pass,
    items,
    seconds: (performance.now() - startedAt) / 1000,
  };
}

/** The items, or one failed item with the reason for their absence: an empty comparison proves nothing. */
async function itemsOf(name: string, verify: () => VerifyItem[] | Promise<VerifyItem[]>): Promise<VerifyItem[]> {
  const failed = (detail: string): VerifyItem[] => [
    { item: name, largestError: Infinity, tolerance: 0, pass: false, detail },
  ];
  try {
    const items = await verify();
    return items.length > 0 ? items : failed('nothing was compared');
  } catch (error) {
    return failed(messageOf(error));
  }
}
