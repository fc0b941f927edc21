/** A training run as a configuration file says it: which stage, which model, which data, how. */
import { packagedPath } from '../../program.js';
import { keyPaths, readAs, withoutNulls } from '../../schema.js';
import { type ModelOfRun, readModelOfRun } from '../saving/model-of-run.js';
import { applyOverrides, readExtended } from './config-overrides.js';
import { EXPERIMENT_SCHEMA, type ExperimentFile } from './experiment-schema.js';
import type { TrainingConfig } from './training-config.js';

export interface ExperimentConfig
  extends ModelOfRun, Pick<ExperimentFile, 'stage' | 'description' | 'drawn' | 'frozenWeights' | 'maxLength' | 'data'> {
  /** LISA's share of explanations without a mask; below 0: none; absent: as published. */
  readonly explanationOnly?: number;
  /** Whether all targets of a picture are asked for in one conversation; absent: as the system does it. */
  readonly together?: boolean;
  /** Model folder whose weights are the start; null for random weights. */
  readonly start: string | null;
  readonly training: TrainingConfig;
  /** Whether LLaMA's layers are run again in the backward pass instead of holding what they computed (gsvaStep). */
  readonly recompute: boolean;
}

/** A configuration file, or the content of one. */
export type ConfigSource = string | Readonly<Record<string, unknown>>;

/** The source's name in messages. */
export function sourceName(source: ConfigSource): string {
  return typeof source === 'string' ? source : 'the configuration';
}

/**
 * @param source a file, which may extend another, or its content
 * @param overrides keys to replace, as dotted paths, with their values
 * @param forPlan nothing will be trained: where the start model's folder is absent, the sizes under "plannedModel" do
 * @throws UserError naming file and key
 */
export function readExperimentConfig(
  source: ConfigSource,
  overrides: readonly (readonly [string, unknown])[] = [],
  { forPlan = false }: { readonly forPlan?: boolean } = {},
): ExperimentConfig {
  const path = sourceName(source);
  const json = typeof source === 'string' ? readExtended(source) : structuredClone(source);
  if (overrides.length > 0) applyOverrides(json, overrides, path, keyPaths(EXPERIMENT_SCHEMA));
  const file = readAs(EXPERIMENT_SCHEMA, withoutNulls(json), path);
  const { stage, description, drawn, explanationOnly, together, frozenWeights, maxLength, data } = file;
  const { recompute, ...training } = file.training;
  const start = file.start === undefined ? null : packagedPath(file.start);
  const model = readModelOfRun(file, path, start, forPlan);
  const words = {
    ...(explanationOnly === undefined ? {} : { explanationOnly }),
    ...(together === undefined ? {} : { together }),
  };
  return { stage, description, ...model, start, drawn, frozenWeights, maxLength, data, training, recompute, ...words };
}
