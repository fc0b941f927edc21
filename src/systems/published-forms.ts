/**
 * Forms in which models of the systems are published, by system. Each is imported when it is asked for: the systems
 * themselves know nothing of files.
 */
import { UserError } from '../errors.js';
import { PUBLISHED_SYSTEMS, type PublishedForm, type PublishedSystem } from './published-files.js';

const llavaSam = async (): Promise<PublishedForm> => (await import('./shared/published/form.js')).LLAVA_SAM_FORM;
const FORMS: Readonly<Record<PublishedSystem, () => Promise<PublishedForm>>> = {
  gsva: llavaSam,
  lisa: llavaSam,
  self1e: async () => (await import('./self1e/published/form.js')).SELF1E_FORM,
};

/** @throws UserError for a system whose models nobody has published */
export async function publishedForm(system: string): Promise<PublishedForm> {
  const name = PUBLISHED_SYSTEMS.find((known) => known === system);
  if (name !== undefined) return FORMS[name]();
  const known = PUBLISHED_SYSTEMS.join(', ');
  throw new UserError(`Files of ${system}: no form of published files is known; known are ${known}.`);
}
