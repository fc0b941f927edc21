/** The systems whose networks are LLaVA's and SAM's, by the sizes of a model; for what cannot wait for the registry. */
import type { ModelConfig } from '../config.js';
import { UserError } from '../errors.js';
import { didYouMean } from '../nearest-name.js';
import { system as gsva } from './gsva/system.js';
import { system as lisa } from './lisa/system.js';
import type { System } from './system.js';

const SYSTEMS: readonly System<ModelConfig>[] = [gsva, lisa];

/** @param source for errors */
export function systemOfConfig({ system }: Pick<ModelConfig, 'system'>, source: string): System<ModelConfig> {
  const found = SYSTEMS.find(({ name }) => name === system);
  if (found !== undefined) return found;
  const names = SYSTEMS.map(({ name }) => name);
  throw new UserError(
    `${source}: key "system" is "${system}"${didYouMean(system, names)}; expected ${names.join(' or ')}.`,
  );
}
