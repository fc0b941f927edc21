/**
 * The systems by name; each is imported when it is asked for. A further one is a folder, a line of this table and, for
 * what is read before its networks, one of model-configs.ts; if models of it are published, of published-forms.ts too.
 */
import { UserError } from '../errors.js';
import { didYouMean } from '../nearest-name.js';
import type { System } from './system.js';

const SYSTEMS: Readonly<Record<string, () => Promise<{ readonly system: System }>>> = {
  gsva: () => import('./gsva/system.js'),
  lisa: () => import('./lisa/system.js'),
  self1e: () => import('./self1e/system.js'),
};
export const SYSTEM_NAMES: readonly string[] = Object.keys(SYSTEMS);
/** System of a config.json without "system": those of the first releases. */
const FIRST = 'gsva';

/** @param source where the name stands, for errors: 'Reading runs/mine/config.json' */
export async function systemNamed(name: string, source: string): Promise<System> {
  const load = Object.hasOwn(SYSTEMS, name) ? SYSTEMS[name] : undefined;
  if (load !== undefined) return (await load()).system;
  const known = `${didYouMean(name, SYSTEM_NAMES)}; known are ${SYSTEM_NAMES.join(', ')}`;
  throw new UserError(`${source}: there is no system ${JSON.stringify(name)}${known}.`);
}

/** The system of a model by its config.json. @param json value of the file @param source its path, for errors */
export async function openSystem(json: unknown, source: string): Promise<System> {
  const { system: name = FIRST } = (typeof json === 'object' && json !== null ? json : {}) as { system?: unknown };
  if (typeof name === 'string') return systemNamed(name, source);
  throw new UserError(
    `${source}: "system" is ${JSON.stringify(name)}; expected the name of a system: ${SYSTEM_NAMES.join(', ')}.`,
  );
}
