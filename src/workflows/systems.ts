/** The systems that models can be of. */
import { SYSTEM_NAMES, systemNamed } from '../systems/index.js';
import type { SystemInfo } from '../systems/system-info.js';

/**
 * Lists the systems whose models can be loaded: name, paper, abilities.
 *
 *     for (const { name, can } of await systems()) console.log(name, can.rejects);
 */
export async function systems(): Promise<readonly SystemInfo[]> {
  return Promise.all(
    SYSTEM_NAMES.map(async (known) => {
      const { name, paper, can } = await systemNamed(known, 'Listing the systems');
      return { name, paper, can };
    }),
  );
}
