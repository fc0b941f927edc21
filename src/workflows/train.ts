/** Training from a configuration, as `gsva train` does it. */
import { join } from 'node:path';
import type { EngineInfo, EngineOptions } from '../engine/engine.js';
import { UserError } from '../errors.js';
import { keepsFeatures } from '../training/config/build-experiment.js';
import { readExperimentConfig, sourceName } from '../training/config/experiment-config.js';
import { checkKeys, checkSignal } from '../inference/segment-options.js';
import { type Communicator, SingleProcess } from '../training/distributed/communicator.js';
import type { OverfitResult } from '../training/loop/overfit-result.js';
import { judgeOverfit, OVERFIT_OVERRIDES, withinSamples } from '../training/loop/overfit.js';
import { readRunLog, type TrainingEnd } from '../training/watching/run-log.js';
import type { TrainingCalls } from '../training/watching/training-observer.js';
import { packagedPath } from '../program.js';
import type { Dataset } from './dataset.js';
import { onEngine } from './engine.js';
import { withExperiment } from './experiment.js';
import { openFeatures } from './feature-store.js';
import { isFile } from './open-dataset.js';
import { trainExperiment } from './training-run.js';
import type { FeatureCacheOptions, Watch } from './watch.js';

/** Keys of a configuration that options replace. */
export interface ConfigChanges {
  /** A configuration file (JSON5, docs/training.md), of the working directory or of the package, or its content. */
  readonly config: string | Readonly<Record<string, unknown>>;
  /** Keys to replace, in order, as dotted paths: [['training.seed', 7]]. */
  readonly overrides?: readonly (readonly [key: string, value: unknown])[];
  /** Dataset instead of the configuration's: a folder, a file of own data (JSON lines), or one made by `dataset`. */
  readonly data?: string | Dataset | undefined;
  /** Minutes of the whole run, all sittings together: the learning rate falls to 0 by then. */
  readonly minutes?: number;
}

/** Options of `train`. */
export interface TrainOptions extends ConfigChanges, TrainingCalls, Watch {
  /** Folder for checkpoints (last/, best/), log.jsonl, plots and summary.html. */
  readonly out: string;
  /**
   * true: continue from the last checkpoint in `out`; 'auto': from the newest one that loads, or from the beginning.
   * Otherwise `out` must not hold a run.
   */
  readonly resume?: boolean | 'auto';
  /** Folder for TensorBoard's events. */
  readonly tensorboard?: string;
  /** Train on the first samples alone, to see whether they can be learned by heart. */
  readonly overfit?:
    | {
        readonly samples: number;
        /** Highest loss at the end; default: a fifth of the first. */
        readonly bound?: number | undefined;
      }
    | undefined;
  /** Folder that keeps the features of the frozen encoders from run to run; default: in memory alone. */
  readonly featureCache?: FeatureCacheOptions;
  readonly engine?: EngineOptions | undefined;
}

/** Result of `train`. */
export interface TrainResult {
  /** Updates made, why the run ended (updates, time, aborted), its seconds and its best validation. */
  readonly end: TrainingEnd;
  /** Folder of the trained model, to be opened or to go on from. */
  readonly model: string;
  /** Page with figures, curves and pictures. */
  readonly summary: string;
  /** Whether the samples of `overfit` were learned; null without it, and for an aborted run. */
  readonly overfit: OverfitResult | null;
}

/**
 * Trains a model. A signal that is aborted ends the run after its present update: it is saved, and goes on with
 * `resume: true`.
 *
 *     const { model } = await train({ config: 'configs/tiny.json5', out: 'runs/tiny', data: 'data/synth' });
 *
 * @param communicator processes that train together, as `mpirun gsva train` starts them; default: this one alone
 * @throws UserError naming the file and key that cannot be used
 */
export async function train(
  options: TrainOptions,
  communicator: Communicator = new SingleProcess(),
): Promise<TrainResult> {
  checkKeys('Training', options, OPTION_KEYS);
  checkSignal('Training', options.signal);
  return onEngine(options, (engine) => trainOn(options, communicator, engine));
}

const OPTION_KEYS = [
  ...['config', 'overrides', 'data', 'minutes', 'out', 'resume', 'tensorboard', 'overfit', 'featureCache', 'engine'],
  ...['onUpdate', 'onValidation', 'onAlarm', 'onCheckpoint', 'onNote', 'onProgress', 'signal'],
] as const;

async function trainOn(options: TrainOptions, communicator: Communicator, engine: EngineInfo): Promise<TrainResult> {
  const { out, overfit, featureCache } = options;
  const source = typeof options.config === 'string' ? packagedPath(options.config) : options.config;
  const changes = [...(overfit === undefined ? [] : OVERFIT_OVERRIDES), ...configOverrides(options)];
  const read = readExperimentConfig(source, changes);
  const training =
    overfit === undefined ? read.training : withinSamples(read.training, overfit.samples, communicator.size);
  const config = { ...read, training };
  return withExperiment(config, sourceName(source), async (experiment) => {
    if (featureCache !== undefined && !keepsFeatures(experiment.system, config.stage)) {
      throw new UserError(
        `--feature-cache keeps features of frozen encoders, but the stage ${config.stage} trains them or draws its ` +
          'images; leave the option out.',
      );
    }
    const store = featureCache === undefined ? null : await openFeatures(featureCache, experiment.network, options);
    const own = { communicator, overfit: overfit?.samples, features: store?.features };
    const { end } = await trainExperiment(experiment, engine, { ...options, ...own });
    await store?.report();
    const done = { end, model: join(out, 'last'), summary: join(out, 'summary.html') };
    if (overfit === undefined || end.reason === 'aborted' || communicator.rank > 0) return { ...done, overfit: null };
    const { batchSize, accumulation } = config.training;
    const { samples, bound = null } = overfit;
    const limits = { samples, samplesPerUpdate: batchSize * accumulation, bound };
    return { ...done, overfit: judgeOverfit(readRunLog(join(out, 'log.jsonl')), limits) };
  });
}

/** Keys that the options replace; a dataset of plain objects takes the place of all of the configuration's `data`. */
export function configOverrides({ overrides = [], data, minutes }: ConfigChanges): (readonly [string, unknown])[] {
  return [
    ...(typeof data === 'object' ? ownDataOverrides(data) : []),
    ...overrides,
    ...(typeof data === 'string' ? [[isFile(data) ? 'data.file' : 'data.dir', data] as const] : []),
    ...(minutes === undefined ? [] : [['training.schedule.maxMinutes', minutes] as const]),
  ];
}

/** Without images of val the run is not validated. */
function ownDataOverrides({ file, images: { val } }: Dataset): (readonly [string, unknown])[] {
  // Expressions of an image in one conversation, as in the paper's recipe for the tiny model.
  const expressionsPerSample = 8;
  const data = { kind: 'jsonl', file, expressionsPerSample, validationImages: Math.max(val, 1) };
  const unvalidated = { 'training.validateEvery': 0, 'training.bestMetric': null };
  return Object.entries({ data, ...(val > 0 ? {} : unvalidated) });
}
