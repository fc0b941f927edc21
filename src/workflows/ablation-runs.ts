/** Runs of an ablation: every configuration and seed, each finished run a file, so that a second start continues. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { UserError } from '../errors.js';
import { ABLATION_FIGURES, type AblationTable } from '../evaluation/ablation-table.js';
import { WHOLE } from '../evaluation/records/record.js';
import type { Shard } from '../evaluation/records/record-types.js';
import { readJson, writeJson } from '../io/json/json-file.js';
import { integer, number, object, type Read, readAs, record, text, without } from '../schema.js';
import { ABLATION_PLANS } from '../evaluation/ablation-table.js';

const FORMAT = 1;
const FIGURES = z.record(z.enum(ABLATION_FIGURES), number({ min: 0, max: 1 }).nullable().default(null));
const RUN_FILE = object({
  format: z.literal(FORMAT, { error: `${FORMAT}, the format that this version reads` }),
  config: text(),
  seed: integer(),
  /** Names everything that the figures depend on: configuration, updates, data. */
  key: text(),
  updates: integer({ min: 1 }),
  /** By form of question. */
  figures: record(object({ reference: FIGURES, strict: FIGURES })),
  trainSeconds: number({ min: 0 }),
  evaluateSeconds: number({ min: 0 }),
  engine: text(),
  date: text(),
});

export type RunResult = Omit<Read<typeof RUN_FILE>, 'format'>;
export type AblationRun = Pick<RunResult, 'config' | 'seed'>;

/** Seed by seed, so that an interrupted ablation has figures of every row. */
export function plannedRuns(configs: readonly string[], seeds: number, shard: Shard): AblationRun[] {
  const all = Array.from({ length: seeds }, (_, i) => configs.map((config) => ({ config, seed: i + 1 }))).flat();
  return all.filter((_, i) => i % shard.count === shard.index);
}

/**
 * @param keyOf present `RunResult.key` of a run @param train trains and evaluates one @throws UserError where a
 * finished run has other settings, or exists and `resume` is not set
 */
export async function doRuns(
  dir: string,
  runs: readonly AblationRun[],
  resume: boolean,
  keyOf: (run: AblationRun) => string,
  train: (run: AblationRun, done: number) => Promise<RunResult>,
): Promise<void> {
  const finished = runs.filter((run) => existsSync(resultFile(dir, run)));
  if (finished.length > 0 && !resume) {
    throw new UserError(
      `${dir} holds ${finished.length} of the ${runs.length} runs already; continue with --resume, or choose another --out.`,
    );
  }
  for (const run of finished) {
    if (readRun(dir, run)?.key === keyOf(run)) continue;
    throw new UserError(
      `${resultFile(dir, run)} was made with other settings (configuration, updates or data). Choose another --out, or ` +
        'delete the file to make this run again.',
    );
  }
  let done = finished.length;
  for (const run of runs) {
    if (finished.includes(run)) continue;
    writeJson(resultFile(dir, run), { format: FORMAT, ...(await train(run, done)) });
    done++;
  }
}

/** The tables of all runs that are there, whoever has made them, but for those made with other settings. */
export function tablesOf(dir: string, seeds: number, keyOf: (run: AblationRun) => string): AblationTable[] {
  return ABLATION_PLANS.map(({ rows, ...plan }) => ({
    ...plan,
    rows: rows.map(({ label, paper, config, question }) => {
      const figures = plannedRuns([config], seeds, WHOLE).flatMap((run) => {
        const result = readRun(dir, run);
        return result?.key === keyOf(run) ? (result.figures[question] ?? []) : [];
      });
      return {
        label,
        paper,
        reference: figures.map(({ reference }) => reference),
        strict: figures.map(({ strict }) => strict),
      };
    }),
  }));
}

function resultFile(dir: string, { config, seed }: AblationRun): string {
  return join(dir, 'results', `${config}-seed${seed}.json`);
}

/** @returns null where it is not finished */
export function readRun(dir: string, run: AblationRun): RunResult | null {
  const path = resultFile(dir, run);
  if (!existsSync(path)) return null;
  return { ...without(readAs(RUN_FILE, readJson(path, 'a finished run'), path), 'format'), ...run };
}
