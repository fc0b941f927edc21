/** What `gsva train --dry-run` finds out. */
import type { MemoryPlan } from '../benchmark/memory-plan.js';
import type { RankMemory } from '../benchmark/rank-memory.js';
import type { ExampleSample } from '../training/example-batch.js';
import type { ExperimentConfig } from '../training/config/experiment-config.js';
import type { RunLength } from '../training/loop/run-length.js';
import type { MeasuredSpeed } from './dry-run-speed.js';

/** A result, or why there is none. */
export type Found<T> = { readonly value: T } | { readonly missing: string };

export interface DryRun {
  readonly config: ExperimentConfig;
  readonly ranks: number;
  /** Whether the start model's folder is there; true where the run starts from random weights. */
  readonly hasStart: boolean;
  /** Images that count as an epoch: of the data, or where it is not there, as published; null where nobody says. */
  readonly images: { readonly count: number | null; readonly missing: string | null };
  /** Null where it depends on data that is not there. */
  readonly length: RunLength | null;
  readonly plan: MemoryPlan;
  readonly memory: RankMemory;
  readonly speed: Found<MeasuredSpeed>;
  readonly batch: Found<readonly ExampleSample[]>;
  /** Files of pictures, of the batch's samples in order. */
  readonly pictures: readonly string[];
}
