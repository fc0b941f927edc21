/** Reading the large lists of a dataset's JSON file one item at a time. */
import { JsonPlace, readJsonFile } from './refer-files.js';

/**
 * Hands every item of the lists under the given keys of a file's object to the key's function.
 * @throws UserError where the file cannot be read or a key is missing or no list
 */
export function readJsonLists(
  name: string,
  path: string,
  advice: string,
  take: Readonly<Record<string, (item: JsonPlace) => void>>,
): void {
  const root = new JsonPlace(readJsonFile(name, path, advice), name, path);
  for (const [key, takeItem] of Object.entries(take)) for (const item of root.key(key).list()) takeItem(item);
}
