/** The runs of an ablation with a stub in place of training: what is done, what is kept, what is refused. */
import type { ModelConfig } from '../../src/systems/shared/model-config.js';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ABLATION_CONFIGS, ABLATION_PLANS, questionsOf } from '../../src/evaluation/ablation-table.js';
import {
  type AblationRun,
  doRuns,
  plannedRuns,
  readRun,
  type RunResult,
  tablesOf,
} from '../../src/workflows/ablation-runs.js';
import { readExperimentConfig } from '../../src/training/config/experiment-config.js';
import { runCli } from '../helpers/run-cli.js';
import { VARIANT_NAMES, VARIANTS } from '../helpers/variants.js';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'gsva-ablation-'));
});
afterEach(() => {
  rmSync(dir, { recursive: true });
});

const keyOf = ({ config }: AblationRun): string => `key of ${config}`;

function resultOf(run: AblationRun, value = run.seed / 10): RunResult {
  const figures = { gIoU: value, cIoU: value, N_acc: null, T_acc: 1 };
  const both = { reference: figures, strict: figures };
  const asked = Object.fromEntries(questionsOf(run.config).map((question) => [question, both]));
  const made = { trainSeconds: 1, evaluateSeconds: 2, engine: 'stub', date: '2024-01-01' };
  return { ...run, key: keyOf(run), updates: 5, figures: asked, ...made };
}

/** Trains nothing; says what it was asked for; fails at the `failAt`-th. */
function stub(failAt = Infinity) {
  const asked: string[] = [];
  const train = (run: AblationRun): Promise<RunResult> => {
    if (asked.length === failAt) return Promise.reject(new Error('interrupted'));
    asked.push(`${run.config} ${run.seed}`);
    return Promise.resolve(resultOf(run));
  };
  return { asked, train };
}

describe('plannedRuns', () => {
  test('seed by seed, every configuration', () => {
    expect(plannedRuns(['a', 'b'], 2, { index: 0, count: 1 })).toEqual([
      { config: 'a', seed: 1 },
      { config: 'b', seed: 1 },
      { config: 'a', seed: 2 },
      { config: 'b', seed: 2 },
    ]);
  });

  test('parts have every run once', () => {
    const whole = plannedRuns(ABLATION_CONFIGS, 3, { index: 0, count: 1 });
    const parts = [0, 1, 2, 3].map((index) => plannedRuns(ABLATION_CONFIGS, 3, { index, count: 4 }));
    expect(new Set(parts.flat().map((run) => JSON.stringify(run)))).toEqual(
      new Set(whole.map((run) => JSON.stringify(run))),
    );
    expect(parts.flat()).toHaveLength(whole.length);
  });
});

describe('doRuns', () => {
  const runs = plannedRuns(['gsva', 'lisa'], 2, { index: 0, count: 1 });

  test('a second start continues where the first was stopped', async () => {
    const first = stub(3);
    await expect(doRuns(dir, runs, false, keyOf, first.train)).rejects.toThrow('interrupted');
    expect(first.asked).toEqual(['gsva 1', 'lisa 1', 'gsva 2']);
    const second = stub();
    await expect(doRuns(dir, runs, false, keyOf, second.train)).rejects.toThrow(
      /holds 3 of the 4 runs already.*--resume/,
    );
    expect(second.asked).toEqual([]);
    await doRuns(dir, runs, true, keyOf, second.train);
    expect(second.asked).toEqual(['lisa 2']);
    const third = stub();
    await doRuns(dir, runs, true, keyOf, third.train);
    expect(third.asked).toEqual([]);
    expect(readdirSync(join(dir, 'results'))).toHaveLength(4);
  });

  test('what is written is what is read', async () => {
    await doRuns(dir, runs, false, keyOf, stub().train);
    for (const run of runs) expect(readRun(dir, run)).toEqual(resultOf(run));
    expect(readRun(dir, { config: 'gsva', seed: 9 })).toBeNull();
  });

  test('runs with other settings are neither kept nor thrown away', async () => {
    await doRuns(dir, runs, false, keyOf, stub().train);
    await expect(doRuns(dir, runs, true, () => 'other', stub().train)).rejects.toThrow(
      /gsva-seed1\.json was made with other settings .*delete the file/,
    );
    expect(readdirSync(join(dir, 'results'))).toHaveLength(4);
  });
});

describe('tablesOf', () => {
  test('every run stands in the rows that ask its model, seeds together', async () => {
    const runs = plannedRuns(['gsva', 'no-reject'], 2, { index: 0, count: 1 });
    await doRuns(dir, runs, false, keyOf, stub().train);
    const [table4, table6] = tablesOf(dir, 3, keyOf);
    expect(table4?.rows.map(({ reference }) => reference.map(({ gIoU }) => gIoU))).toEqual([
      [0.1, 0.2],
      [0.1, 0.2],
      [],
      [],
      [],
    ]);
    expect(table6?.rows.map(({ strict }) => strict.length)).toEqual([2, 2, 2, 2]);
    expect(tablesOf(dir, 1, keyOf)[0]?.rows[0]?.strict).toHaveLength(1);
    expect(tablesOf(dir, 3, () => 'other')[0]?.rows[0]?.strict).toEqual([]);
  });
});

describe('rows', () => {
  test('every row has a configuration that says no more than what it changes', () => {
    const split = (name: string) => {
      const { description, variant, data, model, ...rest } = readExperimentConfig(`configs/ablations/${name}.json5`);
      return { description, variant, data, model, rest };
    };
    const base = split('gsva');
    for (const name of ABLATION_CONFIGS) {
      const { description, variant, data, model, rest } = split(name);
      expect(description).not.toBe('');
      expect(rest).toEqual(base.rest);
      const isVariant = VARIANT_NAMES.some((known) => known === name);
      expect(variant).toEqual(isVariant ? VARIANTS[name as (typeof VARIANT_NAMES)[number]] : VARIANTS.gsva);
      const targets = Number(/^targets-(\d)$/.exec(name)?.[1] ?? 5);
      expect(data).toEqual({ ...base.data, expressionsPerSample: targets });
      const { sam } = base.model as ModelConfig;
      expect(model).toEqual(
        name === 'small-sam' ? { ...base.model, sam: { ...sam, depth: 2, globalAttnIndexes: [1] } } : base.model,
      );
    }
  });

  test('the tables of the paper: Table 4 and 6, Table 10, 1 to 8 of Figure 8, Table 11', () => {
    expect(ABLATION_PLANS.map(({ rows }) => rows.length)).toEqual([5, 4, 2, 8, 2]);
    for (const { rows, baseline } of ABLATION_PLANS) expect(rows[baseline]?.config).toBe('gsva');
    expect(questionsOf('gsva')).toEqual(['reference', 'where', 'show', 'outline']);
    expect(questionsOf('lisa')).toEqual(['reference']);
  });
});

test.each([
  [['--only', 'gvsa'], /--only must be one of .*"gvsa".*gsva/],
  [['--shard', '2/2'], /--shard takes INDEX\/COUNT with INDEX from 0 to COUNT - 1/],
  [['--shard', 'half'], /--shard takes INDEX\/COUNT.*not "half"/],
  [['--seeds', '0'], /--seeds must be/],
] as const)('gsva ablate %j is wrong usage', async (argv, message) => {
  const { code, stderr } = await runCli(['ablate', ...argv]);
  expect([code, stderr]).toEqual([2, expect.stringMatching(message)]);
});
