/** Values of config.json that a user sets in place of those of the files. */
import { UserError } from '../../../errors.js';
import type { ConfigOverrides } from '../../published-files.js';

/** A copy of config.json with the values at 'section.key' replaced. @throws UserError for a section that it lacks */
export function overridden(config: Readonly<Record<string, unknown>>, overrides: ConfigOverrides) {
  const json = structuredClone(config) as Record<string, unknown>;
  for (const [key, value] of overrides) {
    const [section = '', name] = key.split('.');
    const place = name === undefined ? json : json[section];
    if (typeof place !== 'object' || place === null) {
      throw new UserError(`--set ${key}: config.json has no "${section}"`);
    }
    (place as Record<string, unknown>)[name ?? section] = value;
  }
  return json;
}
