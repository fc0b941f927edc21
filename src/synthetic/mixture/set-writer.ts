/** A set of the synthetic mixture while it is written: scene after scene, then what stands in lists. */
import type { Random } from '../../random.js';
import type { Scene, SynthSplit } from '../scene.js';

/** Parts for training, and held out for measuring. */
export const MIXTURE_PARTS = ['train', 'val'] as const;
export type MixturePart = (typeof MIXTURE_PARTS)[number];

export interface SetWriter {
  /** Splits of its scenes: no two sets share one. */
  readonly scenes: Readonly<Record<MixturePart, SynthSplit>>;
  /**
   * Adds a scene.
   * @param random source of all other draws about it
   * @returns place of its picture below the data folder; null where the scene offers nothing to ask about
   */
  add(scene: Scene, random: Random, part: MixturePart, index: number): string | null;
  /** Writes the lists of all scenes that were added. */
  finish(): void;
}

/** A list as JSON, a record to a line. */
export function jsonLinesList(records: readonly unknown[]): Uint8Array[] {
  return [Buffer.from(`[\n${records.map((record) => JSON.stringify(record)).join(',\n')}\n]\n`, 'utf8')];
}
