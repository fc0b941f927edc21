/** The work behind `gsva train`: from a checked request to results. */
import { UserError } from '../errors.js';
import JSON5 from 'json5';
import { join } from 'node:path';
import type { EngineInfo } from '../engine/engine.js';
import { buildExperiment } from '../training/config/build-experiment.js';
import type { Communicator } from '../training/distributed/communicator.js';
import { readExperimentConfig } from '../training/config/experiment-config.js';
import { OVERFIT_OVERRIDES, withinSamples } from '../training/loop/overfit.js';
import type { Resume } from '../training/saving/resume.js';
import type { FeatureCacheRequest } from './feature-cache-options.js';
import { openFeatures } from './feature-store.js';
import { isFile } from './open-dataset.js';
import { type OverfitRequest, reportOverfit } from './overfit-report.js';
import { duration } from './progress.js';
import { trainExperiment } from './training-run.js';
import type { VerbContext } from './verb.js';

/** What `gsva train` was asked for, checked; the configuration itself is read by the job. */
export interface TrainRequest {
  readonly config: string;
  /** Keys of the configuration to replace, in order; values as typed, JSON5. */
  readonly overrides: readonly (readonly [key: string, value: string])[];
  readonly out: string;
  /** Whether to continue what is in `out`. */
  readonly resume: Resume;
  /** Dataset folder, or file of own data, instead of the configuration's. */
  readonly data: string | null;
  /** Stop (saved and evaluated) after this time. */
  readonly minutes: number | null;
  /** Folder for TensorBoard's events. */
  readonly tensorboard: string | null;
  /** Learn a few samples by heart; null: train on all. */
  readonly overfit: OverfitRequest | null;
  /** Keep what the frozen encoders say of the images on disk; null: in memory alone. */
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
  const { overfit } = request;
  const overrides = [...(overfit === null ? [] : OVERFIT_OVERRIDES), ...configOverrides(request)];
  const read = readExperimentConfig(request.config, overrides);
  const config =
    overfit === null ? read : { ...read, training: withinSamples(read.training, overfit.samples, communicator.size) };
  const experiment = buildExperiment(config, request.config);
  try {
    const { out, resume, tensorboard } = request;
    if (request.featureCache !== null && config.stage !== 'gsva') {
      throw new UserError(
        `--feature-cache keeps features of frozen encoders, but the stage ${config.stage} trains them or draws its ` +
          'images; leave the option out.',
      );
    }
    const store =
      request.featureCache === null ? null : await openFeatures(request.featureCache, experiment.gsva, context);
    const options = {
      out,
      resume,
      tensorboard,
      communicator,
      overfit: overfit?.samples ?? null,
      features: store?.features ?? null,
    };
    const { end } = await trainExperiment(experiment, options, context, engine);
    await store?.report();
    const best =
      end.best === null ? '' : `, best ${end.best.metric} ${end.best.value.toFixed(3)} at update ${end.best.update}`;
    const stopped = end.reason === 'aborted' ? 'stopped and saved' : 'trained';
    output.line(`${stopped}: ${end.update} updates in ${duration(end.elapsedSeconds)}${best}`);
    output.line(`model: ${join(out, 'last')}  summary: ${join(out, 'summary.html')}`);
    if (end.reason === 'aborted') output.line('go on with the same command and --resume');
    if (overfit === null || end.reason === 'aborted' || communicator.rank > 0) return 0;
    return reportOverfit(out, overfit, config.training, context);
  } finally {
    experiment.gsva.dispose();
  }
}

/** What the command line replaces in the configuration. */
export function configOverrides({
  overrides,
  data,
  minutes,
}: Pick<TrainRequest, 'overrides' | 'data' | 'minutes'>): (readonly [string, unknown])[] {
  return [
    ...overrides.map(([key, value]) => [key, parsed(value)] as const),
    ...(data === null ? [] : [[isFile(data) ? 'data.file' : 'data.dir', data] as const]),
    ...(minutes === null ? [] : [['training.schedule.maxMinutes', minutes] as const]),
  ];
}

/** A value of --set: JSON5, or a plain word. */
function parsed(value: string): unknown {
  try {
    return JSON5.parse(value);
  } catch {
    return value;
  }
}
