/** Training from a configuration, as `gsva train` does it. */
import { join } from 'node:path';
import type { EngineOptions } from '../engine/engine.js';
import { UserError } from '../errors.js';
import { buildExperiment } from '../training/config/build-experiment.js';
import { type ConfigSource, readExperimentConfig, sourceName } from '../training/config/experiment-config.js';
import { type Communicator, SingleProcess } from '../training/distributed/communicator.js';
import { judgeOverfit, OVERFIT_OVERRIDES, type OverfitResult, withinSamples } from '../training/loop/overfit.js';
import type { Resume } from '../training/saving/resume.js';
import { readRunLog, type TrainingEnd } from '../training/watching/run-log.js';
import { startNoted } from './engine.js';
import { type FeatureCacheOptions, openFeatures } from './feature-store.js';
import { isFile } from './open-dataset.js';
import { trainExperiment, type TrainingCalls } from './training-run.js';
import type { Watch } from './watch.js';

/** Keys of a configuration that options replace. */
export interface ConfigChanges {
  /** A configuration file (JSON5, docs/training.md), or its content. */
  readonly config: ConfigSource;
  /** Keys to replace, in order, as dotted paths: [['training.seed', 7]]. */
  readonly overrides?: readonly (readonly [key: string, value: unknown])[];
  /** Dataset instead of the configuration's: a folder, or a file of own data (JSON lines). */
  readonly data?: string;
  /** Minutes of the whole run, all sittings together: the learning rate falls to 0 by then. */
  readonly minutes?: number;
}

export interface TrainOptions extends ConfigChanges, TrainingCalls, Watch {
  /** Folder for checkpoints (last/, best/), log.jsonl, plots and summary.html. */
  readonly out: string;
  /**
   * true: continue from the last checkpoint in `out`; 'auto': from the newest one that loads, or from the beginning.
   * Otherwise `out` must not hold a run.
   */
  readonly resume?: Resume;
  /** Folder for TensorBoard's events. */
  readonly tensorboard?: string;
  /** Train on the first samples alone, to see whether they can be learned by heart. */
  readonly overfit?: {
    readonly samples: number;
    /** Highest loss at the end; default: a fifth of the first. */
    readonly bound?: number;
  };
  /** Folder that keeps the features of the frozen encoders from run to run; default: in memory alone. */
  readonly featureCache?: FeatureCacheOptions;
  readonly engine?: EngineOptions;
  /** Processes that train together; default: this one alone. */
  readonly communicator?: Communicator;
}

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
 * @throws UserError naming the file and key that cannot be used
 */
export async function train(options: TrainOptions): Promise<TrainResult> {
  const { config: source, out, overfit, communicator = new SingleProcess() } = options;
  const engine = await startNoted(options.engine, options);
  const changes = [...(overfit === undefined ? [] : OVERFIT_OVERRIDES), ...configOverrides(options)];
  const read = readExperimentConfig(source, changes);
  const config =
    overfit === undefined
      ? read
      : { ...read, training: withinSamples(read.training, overfit.samples, communicator.size) };
  const experiment = await buildExperiment(config, sourceName(source));
  try {
    const { featureCache } = options;
    if (featureCache !== undefined && config.stage !== 'gsva') {
      throw new UserError(
        `--feature-cache keeps features of frozen encoders, but the stage ${config.stage} trains them or draws its ` +
          'images; leave the option out.',
      );
    }
    const store = featureCache === undefined ? null : await openFeatures(featureCache, experiment.network, options);
    const { end } = await trainExperiment(experiment, engine, {
      ...options,
      overfit: overfit?.samples,
      features: store?.features,
    });
    await store?.report();
    const isJudged = overfit !== undefined && end.reason !== 'aborted' && communicator.rank === 0;
    const { batchSize, accumulation } = config.training;
    return {
      end,
      model: join(out, 'last'),
      summary: join(out, 'summary.html'),
      overfit: isJudged
        ? judgeOverfit(readRunLog(join(out, 'log.jsonl')), {
            samples: overfit.samples,
            samplesPerUpdate: batchSize * accumulation,
            bound: overfit.bound ?? null,
          })
        : null,
    };
  } finally {
    experiment.network.dispose();
  }
}

export function configOverrides({ overrides = [], data, minutes }: ConfigChanges): (readonly [string, unknown])[] {
  return [
    ...overrides,
    ...(data === undefined ? [] : [[isFile(data) ? 'data.file' : 'data.dir', data] as const]),
    ...(minutes === undefined ? [] : [['training.schedule.maxMinutes', minutes] as const]),
  ];
}
