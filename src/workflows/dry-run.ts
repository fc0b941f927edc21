/** The dry run of a training: what it would need and do, with nothing trained. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { lacking } from '../benchmark/fits.js';
import { type MemoryPlan, planMemory } from '../benchmark/memory-plan.js';
import { planSourceOf } from '../benchmark/plan-source.js';
import { rankMemory } from '../benchmark/rank-memory.js';
import { CATALOGUE } from '../data/catalogue/catalogue.js';
import { splitsOf } from '../data/dataset-registry.js';
import { epochLengthOf } from '../data/sampling/source-of.js';
import { describeEngine, type EngineOptions } from '../engine/engine.js';
import { UserError } from '../errors.js';
import { writeConversationPanel } from '../evaluation/report/conversation-panel.js';
import { writeDirectoryAtomic } from '../io/atomic/atomic-file.js';
import { readImage } from '../io/image/image-file.js';
import { machineMemory } from '../machine.js';
import { systemNamed } from '../systems/index.js';
import { checkStart } from '../training/config/build-experiment.js';
import { type ExperimentConfig, readExperimentConfig, sourceName } from '../training/config/experiment-config.js';
import { openTrainingData, startVocabulary } from '../training/config/experiment-data.js';
import { type ExampleSample, exampleBatch } from '../training/example-batch.js';
import type { GroundingData } from '../training/grounding-task.js';
import { runLength } from '../training/loop/run-length.js';
import { type MeasuredSpeed, measureSpeed } from '../benchmark/training-speed.js';
import { startNoted } from './engine.js';
import { withExperiment } from './experiment.js';
import { type ConfigChanges, configOverrides } from './train.js';
import type { Watch } from './watch.js';

interface DryRunOptions extends ConfigChanges, Watch {
  readonly ranks?: number;
  readonly out?: string;
  readonly engine?: EngineOptions;
}

/** A result, or why there is none. */
type Found<T> = { readonly value: T; readonly missing: null } | { readonly value: null; readonly missing: string };
export type DryRun = Awaited<ReturnType<typeof dryRun>>;

/** Weights and data that are absent are part of the answer. @throws UserError where the configuration is at fault */
export async function dryRun(options: DryRunOptions) {
  const { ranks = 1, out, onNote } = options;
  const source = sourceName(options.config);
  const config = readExperimentConfig(options.config, configOverrides(options), { forPlan: true });
  const hasStart = config.start === null || existsSync(config.start);
  // A start model that does not fit is a fault of the configuration, whatever else is missing on this machine.
  if (hasStart && existsSync(config.tokenizer)) await checkStart(config, source);
  // Null for a stage that draws its own scenes.
  const { batchSize } = config.training;
  const data = await found(async () =>
    config.data.kind === 'scenes' ? null : openTrainingData(config.data, batchSize),
  );
  const images = countImages(config, data);
  onNote?.('planning memory ...');
  const plan = await planMemory(planSourceOf(config));
  const batch = await found(() => firstBatch(config, source, data));
  return {
    config,
    ranks,
    /** Whether the start model's folder exists; true where the run starts from random weights. */
    hasStart,
    images,
    plan,
    batch,
    /** Files of pictures, of the batch's samples in order. */
    pictures: out === undefined || batch.value === null ? [] : await draw(batch.value, join(out, 'dry-run')),
    speed: await found(() => measured(config, hasStart, data, plan, options)),
    /** Null where it depends on data that is absent. */
    length: runLength(config.training, images.count, ranks),
    memory: rankMemory(plan, ranks),
  };
}

/** Something missing on this machine does not end the dry run. */
async function found<T>(work: () => Promise<T>): Promise<Found<T>> {
  try {
    return { value: await work(), missing: null };
  } catch (error) {
    if (error instanceof UserError) return { value: null, missing: error.message };
    throw error;
  }
}

/** Images of an epoch: of the data, or where it is absent, as published; null where that is unknown. */
function countImages({ data }: ExperimentConfig, opened: Found<GroundingData | null>) {
  if (data.kind === 'scenes') return { count: data.scenes, missing: null };
  if (opened.missing === null) return { count: opened.value === null ? 0 : epochLengthOf(opened.value), missing: null };
  const sets = data.kind === 'jsonl' ? [] : data.kind === 'grefcoco' ? ['grefcoco'] : data.sets;
  const counts = sets.map((name) => publishedCount(data, name));
  const isKnown = counts.length > 0 && counts.every((count) => count !== null);
  return { count: isKnown ? counts.reduce((sum, count) => sum + count, 0) : null, missing: opened.missing };
}

/** Samples of a set in an epoch as published; null where that is unknown. */
function publishedCount(data: ExperimentConfig['data'], name: string): number | null {
  const entry = CATALOGUE.find((known) => known.name === name);
  const { images, conversations, questions } = entry?.published.splits[splitsOf(name)[0] ?? ''] ?? {};
  if (data.kind !== 'repeated' || entry === undefined) return images ?? null;
  const samples = questions ?? conversations ?? images;
  return samples === undefined ? null : Math.min(samples, data.most[name] ?? Infinity) * data.rates[entry.kind];
}

async function firstBatch(config: ExperimentConfig, source: string, data: Found<GroundingData | null>) {
  if (data.missing !== null) throw new UserError('the data is absent');
  if (data.value === null) throw new UserError(`The stage ${config.stage} draws its scenes itself.`);
  const system = await systemNamed(config.model.system, source);
  return exampleBatch(system, config, startVocabulary(system, config).tokenizer, data.value);
}

/** One picture per sample, as `gsva data show` draws them. */
async function draw(batch: readonly ExampleSample[], folder: string): Promise<string[]> {
  const files = batch.map((_, i) => `sample-${String(i + 1).padStart(3, '0')}.png`);
  await writeDirectoryAtomic(folder, async (temporary) => {
    for (const [i, { name, conversations }] of batch.entries()) {
      await writeConversationPanel(join(temporary, files[i] ?? ''), name, await readImage(name), conversations);
    }
  });
  return files.map((file) => join(folder, file));
}

/** @throws UserError saying why nothing can be measured */
async function measured(
  config: ExperimentConfig,
  hasStart: boolean,
  data: Found<GroundingData | null>,
  plan: MemoryPlan,
  options: DryRunOptions,
): Promise<MeasuredSpeed> {
  if (!hasStart) throw new UserError(`the start model ${config.start ?? ''} is absent`);
  if (data.missing !== null) throw new UserError('the data is absent');
  const engine = await startNoted(options.engine, options);
  const planned = plan.engines.find(({ engine: name }) => name === engine.name);
  const lack = planned === undefined ? null : lacking(planned.engine, planned.training, machineMemory());
  if (lack !== null) throw new UserError(`the training does not fit on ${engine.name} here: ${lack}`);
  options.onNote?.('timing micro-batches ...');
  return withExperiment(config, sourceName(options.config), (experiment) =>
    measureSpeed(experiment, data.value, describeEngine(engine), options.signal),
  );
}
