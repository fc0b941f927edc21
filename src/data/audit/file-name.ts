/** Names of image files, as annotations have them. */
import type { JsonPlace } from '../annotation-files.js';

/** @throws UserError where it leads out of the folder that it is joined to: the readers refuse such a file. */
export function insideFileName(place: JsonPlace): string {
  const name = place.text();
  const isInside = name.split('/').every((step) => step !== '' && step !== '.' && step !== '..');
  if (isInside && !/[\\\0]/.test(name)) return name;
  throw place.wrong('a file name, which may stand in folders but not lead out of them');
}
