/** Names of classes as they are asked for: an object, or a part of one. */
import type { Random } from '../../random.js';
import { RESERVED_TEXTS } from '../../special-tokens.js';
import type { JsonPlace } from '../annotation-files.js';

/** "scissors", or ["mug", "handle"]: object and part. */
export type ClassName = string | readonly [object: string, part: string];

/** The words for it: of a part, "mug handle" or "the handle of the mug", by chance (reference: SemSegDataset). */
export function classText(random: Random, name: ClassName): string {
  if (typeof name === 'string') return name;
  const [object, part] = name;
  return random.uniform() < 0.5 ? `${object} ${part}` : `the ${part} of the ${object}`;
}

/** @throws UserError for an empty class name, or one that would be read as special tokens */
export function checkedClassName(place: JsonPlace): string {
  const name = place.text().trim();
  if (name === '' || RESERVED_TEXTS.some((text) => name.includes(text))) {
    throw place.wrong(`a name that is not empty and has none of ${RESERVED_TEXTS.join(' ')}`);
  }
  return name;
}
