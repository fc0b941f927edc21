/** A training configuration that comes with the package. */
import { isAbsolute } from 'node:path';
import { type ExperimentConfig, readExperimentConfig } from '../training/config/experiment-config.js';
import { packagePath } from '../program.js';

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
