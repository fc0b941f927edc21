/**
 * The paper's ablations: makes the benchmark's data, trains every row from one start and budget, writes tables on val.
 */
import { createHash } from 'node:crypto';
import { existsSync, renameSync, rmSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { GRefCoco } from '../data/refer/refcoco.js';
import { describeEngine, type EngineInfo, type EngineOptions } from '../engine/engine.js';
import { ablationMarkdown, questionsOf, verdictCounts } from '../evaluation/ablation-table.js';
import type { AblationFigures, AblationTable } from '../evaluation/ablation-table.js';
import { WHOLE } from '../evaluation/records/record.js';
import type { Shard } from '../evaluation/records/record-types.js';
import { FeatureStore } from '../features/feature-store.js';
import { imageKey } from '../features/image-key.js';
import { writeFileAtomic } from '../io/atomic/atomic-file.js';
import { packagePath } from '../program.js';
import type { ModelConfig } from '../systems/shared/model-config.js';
import { type SynthOptions, writeSynthDataset } from '../synthetic/writer.js';
import type { Experiment } from '../training/config/build-experiment.js';
import type { ExperimentConfig } from '../training/config/experiment-config.js';
import type { TrainingConfig } from '../training/config/training-config.js';
import { startNoted } from './engine.js';
import { measure } from './measure.js';
import { packageConfig, predictorOf, withExperiment } from './experiment.js';
import { storedResponder } from './feature-store.js';
import { trainExperiment } from './training-run.js';
import { counted, duration, type Watch } from './watch.js';
import { type AblationRun, doRuns, plannedRuns, type RunResult, tablesOf } from './ablation-runs.js';

interface AblateOptions extends Watch {
  readonly configs: readonly string[];
  readonly seeds: number;
  readonly updates?: number;
  readonly out: string;
  readonly resume: boolean;
  readonly shard?: Shard;
  readonly table: string;
  readonly engine?: EngineOptions;
}

const DATA: SynthOptions = { seed: 1, trainImages: 2000, valImages: 200, testAImages: 1, testBImages: 1 };
const BATCH = 16;
/** The row that has a start of its own, and the configuration that makes it. */
const SMALL_SAM = { config: 'small-sam', start: 'small-sam-start' } as const;

export async function ablate(options: AblateOptions): Promise<AblationTable[]> {
  const { configs, out, seeds, shard = WHOLE, resume, updates, onNote, signal } = options;
  const engine = await startNoted(options.engine, options);
  // Each process has its own: the same bytes, and none waits for another.
  const own = (name: string): string => join(out, shard.count === 1 ? name : `${name}-${shard.index}`);
  const data = own('data');
  if (!existsSync(data)) await writeSynthDataset(data, DATA, counted(options, 'make data'));
  const smallSam = resolve(own(SMALL_SAM.start));
  const runs = plannedRuns(configs, seeds, shard);
  const stores = new Map<string, FeatureStore>();
  const configOf = (run: AblationRun): ExperimentConfig => ablationConfig(run, data, smallSam, updates);
  const keyOfRun = (run: AblationRun): string => keyOf(configOf(run));
  await doRuns(out, runs, resume, keyOfRun, async (run, done) => {
    signal?.throwIfAborted();
    if (run.config === SMALL_SAM.config) await makeSmallSam(smallSam, options, engine);
    onNote?.(`${run.config}, seed ${run.seed} (${done + 1} of ${runs.length})`);
    const config = configOf(run);
    // Runs share the features of equal encoders.
    const { clip, sam } = config.model as ModelConfig;
    const encoders = JSON.stringify([config.start, clip, sam]);
    const features = stores.get(encoders) ?? new FeatureStore(imageKey);
    stores.set(encoders, features);
    return trainRun(run, config, join(out, 'runs', `${run.config}-seed${run.seed}`), features, options, engine);
  });
  const tables = tablesOf(out, seeds, keyOfRun);
  const { training } = configOf({ config: 'gsva', seed: 1 });
  writeFileAtomic(options.table, ablationMarkdown('Ablations', aboutRuns(training, seeds, engine, tables), tables));
  return tables;
}

function aboutRuns(
  { batchSize, schedule }: TrainingConfig,
  seeds: number,
  engine: EngineInfo,
  tables: readonly AblationTable[],
): string[] {
  const { same, different, unclear } = verdictCounts(tables);
  return [
    "Written by `gsva ablate`: the rows of the paper's ablations (Xia et al., CVPR 2024) on the embedded benchmark, each " +
      "a file in [configs/ablations](../configs/ablations). They are not the paper's experiments: a model of three " +
      'million parameters on drawn shapes shows whether a design helps here too, not how much.',
    `Every row starts from checkpoints/tiny-base and is trained for ${schedule.totalUpdates} updates of ${batchSize} images, from the same ` +
      `${DATA.trainImages} images, with ${seeds} seeds; figures are mean ± standard deviation over the seeds, in per ` +
      `cent, on ${DATA.valImages} images of val with nine expressions each. The middle columns are by the published ` +
      'protocol, as the paper\'s; "strict" gives a rejected target no mask. "as the paper" says whether the row lies on ' +
      'the same side of the first row (of Figure 8: of 5) as in the paper: differences below a point are none, and ' +
      `those within two standard errors are unclear. Engine: ${describeEngine(engine)}.`,
    `Of ${same + different + unclear} figures of rows compared with their first row, ${same} move as in the paper, ${different} do not, ` +
      `and of ${unclear} these runs do not say.`,
  ];
}

function ablationConfig({ config, seed }: AblationRun, data: string, smallSam: string, updates: number | undefined) {
  return packageConfig(packagePath('configs', 'ablations', `${config}.json5`), [
    ['data.dir', data],
    ['training.seed', seed],
    ...(config === SMALL_SAM.config ? [['start', join(smallSam, 'last')] as const] : []),
    ...(updates === undefined ? [] : [['training.schedule.totalUpdates', updates] as const]),
    ...(updates === undefined ? [] : [['training.schedule.warmupUpdates', Math.floor(updates / 8)] as const]),
  ]);
}

/** Unless it is there: the start of SMALL_SAM, into `dir`. */
async function makeSmallSam(dir: string, watch: Watch, engine: EngineInfo): Promise<void> {
  if (existsSync(join(dir, 'last'))) return;
  const source = packagePath('configs', 'ablations', `${SMALL_SAM.start}.json5`);
  watch.onNote?.(`${SMALL_SAM.start}: a smaller F_V2 learns from the larger one`);
  await withExperiment(packageConfig(source, []), source, async (experiment) => {
    rmSync(`${dir}.part`, { recursive: true, force: true }); // of a start that was interrupted
    await trainExperiment(experiment, engine, { ...watch, out: `${dir}.part` });
    watch.signal?.throwIfAborted();
    renameSync(`${dir}.part`, dir);
  });
}

/** Paths apart: they do not change what comes out. */
function keyOf(config: ExperimentConfig): string {
  const { start, tokenizer, data, ...rest } = config;
  const named = {
    ...rest,
    data: { ...data, dir: DATA },
    start: start === null ? null : basename(start),
    tokenizer: basename(tokenizer),
  };
  return createHash('sha256').update(JSON.stringify(named)).digest('hex').slice(0, 16);
}

async function trainRun(
  run: AblationRun,
  config: ExperimentConfig,
  dir: string,
  features: FeatureStore,
  watch: Watch,
  engine: EngineInfo,
): Promise<RunResult> {
  return withExperiment(config, run.config, async (experiment) => {
    rmSync(dir, { recursive: true, force: true }); // of a start that was interrupted
    const { end } = await trainExperiment(experiment, engine, { ...watch, out: dir, features });
    watch.signal?.throwIfAborted();
    const startedAt = performance.now();
    const figures = await evaluateRun(experiment, questionsOf(run.config), features, watch);
    const evaluateSeconds = (performance.now() - startedAt) / 1000;
    rmSync(join(dir, 'last'), { recursive: true, force: true }); // fifty models would take gigabytes
    const { update: updates, elapsedSeconds: trainSeconds } = end;
    const date = new Date().toISOString();
    const key = keyOf(config);
    watch.onNote?.(`trained in ${duration(trainSeconds)}, evaluated in ${duration(evaluateSeconds)}`);
    return { ...run, key, updates, figures, trainSeconds, evaluateSeconds, engine: describeEngine(engine), date };
  });
}

async function evaluateRun(experiment: Experiment, questions: readonly string[], features: FeatureStore, watch: Watch) {
  const { data } = experiment.config;
  if (data.kind !== 'grefcoco') throw new Error("evaluateRun: ablations are trained on gRefCOCO's layout");
  const dataset = GRefCoco.open(data.dir, 'val');
  const figures: Record<string, RunResult['figures'][string]> = {};
  for (const question of questions) {
    const predictor = predictorOf(experiment);
    const responder = storedResponder(predictor, features);
    const protocols = ['reference', 'strict'] as const;
    const { results } = await measure(predictor, dataset, { question, protocols, batch: BATCH, responder }, watch);
    const [reference, strict] = results.map((result) => result.figures as AblationFigures);
    if (reference === undefined || strict === undefined) throw new Error('evaluateRun: a protocol has no result');
    figures[question] = { reference, strict };
  }
  return figures;
}
