/** The work behind `gsva train`: from a checked request to results. */
import JSON5 from 'json5';
import { join } from 'node:path';
import type { EngineInfo } from '../engine/engine.js';
import { buildExperiment } from '../training/build-experiment.js';
import type { Communicator } from '../training/distributed/communicator.js';
import { readExperimentConfig } from '../training/experiment-config.js';
import { openFeatures, type FeatureCacheRequest } from './feature-store.js';
import { isFile } from './open-dataset.js';
import { duration } from './progress.js';
import { trainExperiment } from './training-run.js';
import type { VerbContext } from './verb.js';

/** What `gsva train` was asked for, checked; the configuration itself is read by the job. */
export interface TrainRequest {
  readonly config: string;
  /** Keys of the configuration to replace, in order; values as typed, JSON5. */
  readonly overrides: readonly (readonly [key: string, value: string])[];
  readonly out: string;
  /** Continue from the last checkpoint in `out`. */
  readonly resume: boolean;
  /** Dataset folder, or file of own data, instead of the configuration's. */
  readonly data: string | null;
  /** Stop (saved and evaluated) after this time. */
  readonly minutes: number | null;
  /** Folder for TensorBoard's events. */
  readonly tensorboard: string | null;
  readonly featureCache: FeatureCacheRequest | null;
}

/** @returns the exit code */
export async function runTrain(
  request: TrainRequest,
  context: VerbContext,
  engine: EngineInfo,
  communicator: Communicator,
): Promise<number> {
  const { output } = context;
  const overrides: (readonly [string, unknown])[] = request.overrides.map(([key, value]) => [key, parsed(value)]);
  if (request.data !== null) overrides.push([isFile(request.data) ? 'data.file' : 'data.dir', request.data]);
  if (request.minutes !== null) overrides.push(['training.schedule.maxMinutes', request.minutes]);
  const config = readExperimentConfig(request.config, overrides);
  const experiment = buildExperiment(config, request.config);
  try {
    const { out, resume, tensorboard } = request;
    const store = request.featureCache === null ? null : await openFeatures(request.featureCache, experiment, context);
    const options = { out, resume, tensorboard, communicator, features: store?.features ?? null };
    const { end } = await trainExperiment(experiment, options, context, engine);
    store?.report();
    const best =
      end.best === null ? '' : `, best ${end.best.metric} ${end.best.value.toFixed(3)} at update ${end.best.update}`;
    const stopped = end.reason === 'aborted' ? 'stopped and saved' : 'trained';
    output.line(`${stopped}: ${end.update} updates in ${duration(end.elapsedSeconds)}${best}`);
    output.line(`model: ${join(out, 'last')}  summary: ${join(out, 'summary.html')}`);
    if (end.reason === 'aborted') output.line('go on with the same command and --resume');
    return 0;
  } finally {
    experiment.gsva.dispose();
  }
}

/** A value of --set: JSON5, or a plain word. */
function parsed(value: string): unknown {
  try {
    return JSON5.parse(value);
  } catch {
    return value;
  }
}
