/** The work behind `gsva train --dry-run`: what a training would need and do, with nothing trained. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { lacking } from '../benchmark/fits.js';
import { type MemoryPlan, planMemory } from '../benchmark/memory-plan.js';
import { planSourceOf } from '../benchmark/plan-source.js';
import { rankMemory } from '../benchmark/rank-memory.js';
import { CATALOGUE } from '../data/catalogue/catalogue.js';
import { splitsOf } from '../data/dataset-registry.js';
import { imagesOf } from '../data/sampling/sample-source.js';
import { Tokenizer } from '../data/text/tokenizer.js';
import { describeEngine } from '../engine/engine.js';
import { UserError } from '../errors.js';
import { writeConversationPanel } from '../evaluation/report/conversation-panel.js';
import { writeDirectoryAtomic } from '../io/atomic/atomic-file.js';
import { readImage } from '../io/image/image-file.js';
import { machineMemory } from '../machine.js';
import { addedTokens } from '../special-tokens.js';
import { buildExperiment, checkStart } from '../training/config/build-experiment.js';
import { type ExampleSample, exampleBatch } from '../training/example-batch.js';
import { type ExperimentConfig, readExperimentConfig } from '../training/config/experiment-config.js';
import { openTrainingData } from '../training/config/experiment-data.js';
import type { GroundingData } from '../training/grounding-task.js';
import { runLength } from '../training/loop/run-length.js';
import type { DryRun, Found } from './dry-run.js';
import { dryRunJson, showDryRun } from './dry-run-output.js';
import { type MeasuredSpeed, measureSpeed } from './dry-run-speed.js';
import type { GlobalArguments } from './options.js';
import { startEngineFor } from './start-engine.js';
import type { VerbContext } from './verb.js';

export interface DryRunRequest {
  readonly config: string;
  readonly overrides: readonly (readonly [string, unknown])[];
  /** Processes that are to train together. */
  readonly ranks: number;
  /** Folder for pictures of the first batch; null for none. */
  readonly out: string | null;
}

type Hardware = Pick<GlobalArguments, 'engine' | 'device' | 'threads'>;

/** @returns the exit code: 0 also where weights or data are missing, as long as the configuration is sound */
export async function runDryRun(request: DryRunRequest, hardware: Hardware, context: VerbContext): Promise<number> {
  const { ranks, out } = request;
  const config = readExperimentConfig(request.config, request.overrides, { forPlan: true });
  const hasStart = config.start === null || existsSync(config.start);
  // A start model that does not fit is a fault of the configuration, whatever else is missing on this machine.
  if (hasStart && existsSync(config.tokenizer)) await checkStart(config, request.config);
  const data = await found(() => openData(config));
  const images = countImages(config, data);
  context.note('planning memory ...');
  const plan = await planMemory(planSourceOf(config));
  const batch = await found(() => firstBatch(config, data));
  const pictures = out === null || !('value' in batch) ? [] : await draw(batch.value, join(out, 'dry-run'));
  const speed = await found(() => measured(request, config, hasStart, data, plan, hardware, context));
  const length = runLength(config.training, images.count, ranks);
  const memory = rankMemory(plan, ranks);
  const run: DryRun = { config, ranks, hasStart, images, length, plan, memory, speed, batch, pictures };
  showDryRun(run, machineMemory(), context.output);
  context.output.json(dryRunJson(run, request.config));
  return 0;
}

/** What is missing on this machine is said, and does not end the dry run. */
async function found<T>(work: () => Promise<T>): Promise<Found<T>> {
  try {
    return { value: await work() };
  } catch (error) {
    if (error instanceof UserError) return { missing: error.message };
    throw error;
  }
}

/** Null for a stage that draws its own scenes. */
function openData({ data }: ExperimentConfig): Promise<GroundingData | null> {
  return data.kind === 'scenes' ? Promise.resolve(null) : openTrainingData(data);
}

function countImages({ data }: ExperimentConfig, opened: Found<GroundingData | null>): DryRun['images'] {
  if (data.kind === 'scenes') return { count: data.scenes, missing: null };
  if ('value' in opened) return { count: imagesOf(opened.value?.sets ?? []), missing: null };
  const sets = data.kind === 'jsonl' ? [] : data.kind === 'grefcoco' ? ['grefcoco'] : data.sets;
  const counts = sets.map((name) => {
    const published = CATALOGUE.find((entry) => entry.name === name)?.published;
    return published?.splits[splitsOf(name)[0] ?? '']?.images ?? null;
  });
  const isKnown = counts.length > 0 && counts.every((count) => count !== null);
  return { count: isKnown ? counts.reduce((sum, count) => sum + count, 0) : null, missing: opened.missing };
}

async function firstBatch(config: ExperimentConfig, data: Found<GroundingData | null>): Promise<ExampleSample[]> {
  if ('missing' in data) throw new UserError('the data is not there');
  if (data.value === null) throw new UserError(`The stage ${config.stage} draws its scenes itself.`);
  const tokenizer = Tokenizer.fromDirectory(config.tokenizer);
  tokenizer.addTokens(addedTokens(config.variant.segTokens));
  return exampleBatch(config, tokenizer, data.value);
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
  request: DryRunRequest,
  config: ExperimentConfig,
  hasStart: boolean,
  data: Found<GroundingData | null>,
  plan: MemoryPlan,
  hardware: Hardware,
  context: VerbContext,
): Promise<MeasuredSpeed> {
  if (!hasStart) throw new UserError(`the start model ${config.start ?? ''} is not there`);
  if ('missing' in data) throw new UserError('the data is not there');
  const engine = await startEngineFor(hardware, context);
  const planned = plan.engines.find(({ engine: name }) => name === engine.name);
  const lack = planned === undefined ? null : lacking(planned.engine, planned.training, machineMemory());
  if (lack !== null) throw new UserError(`the training does not fit on ${engine.name} here: ${lack}`);
  context.note('timing micro-batches ...');
  const experiment = buildExperiment(config, request.config);
  try {
    return await measureSpeed(experiment, data.value, describeEngine(engine), context.signal);
  } finally {
    experiment.gsva.dispose();
  }
}
