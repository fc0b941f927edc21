/** Experiments of workflows: built for a piece of work and freed after it, also from a configuration of the package. */
import { isAbsolute } from 'node:path';
import { Predictor } from '../inference/predictor.js';
import { packagePath } from '../program.js';
import { buildExperiment, type Experiment } from '../training/config/build-experiment.js';
import { type ExperimentConfig, readExperimentConfig } from '../training/config/experiment-config.js';

/** @param source of the configuration, for errors */
export async function withExperiment<T>(
  config: ExperimentConfig,
  source: string,
  work: (experiment: Experiment) => Promise<T>,
): Promise<T> {
  const experiment = await buildExperiment(config, source);
  try {
    return await work(experiment);
  } finally {
    experiment.network.dispose();
  }
}

/** The model as it stands, answering. */
export function predictorOf({ system, network, tokenizer, config }: Experiment): Predictor {
  return new Predictor(system, network, tokenizer, config.conversation, { variant: config.variant });
}

/** Its own paths are relative to the package, so that it can be used from any folder. */
export function packageConfig(source: string, overrides: readonly (readonly [string, unknown])[]): ExperimentConfig {
  const config = readExperimentConfig(source, overrides);
  const inPackage = (path: string): string => (isAbsolute(path) ? path : packagePath(path));
  return {
    ...config,
    start: config.start === null ? null : inPackage(config.start),
    tokenizer: inPackage(config.tokenizer),
  };
}
