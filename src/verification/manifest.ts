/** Manifest of a recording: SHA256SUMS as `sha256sum` writes it. A folder without one is compared all the same. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { UserError, messageOf } from '../errors.js';
import { readText } from '../io/json/json-file.js';
import { toleranceItem, type VerifyItem } from './verify-item.js';

export const MANIFEST = 'SHA256SUMS';

/** Whether the folder has a manifest. */
export function isSigned(dir: string): boolean {
  return existsSync(join(dir, MANIFEST));
}

/** Files that the manifest lists; none for an unsigned folder. @throws UserError when it is malformed */
export function listedFiles(dir: string): ReadonlySet<string> {
  return new Set(isSigned(dir) ? readManifest(join(dir, MANIFEST)).keys() : []);
}

/** One item: the number of altered and missing files; unlisted ones are named. @throws UserError for a bad manifest */
export function verifyManifest(dir: string): VerifyItem[] {
  const item = 'files unaltered';
  if (!isSigned(dir)) {
    return [
      toleranceItem(item, 0, 0, `unsigned: no ${MANIFEST} in the folder, so the bytes of its files are not checked`),
    ];
  }
  const digests = readManifest(join(dir, MANIFEST));
  const present = filesBelow(dir);
  const faults = [...digests].flatMap(([name, digest]) => {
    if (!present.has(name)) return [`${name} is missing`];
    return sha256(join(dir, name)) === digest ? [] : [`${name} is altered`];
  });
  const unlisted = [...present].filter((name) => name !== MANIFEST && !digests.has(name));
  const found = faults.length === 0 ? `${digests.size} files` : someOf(faults);
  const others = unlisted.length === 0 ? '' : `; not in ${MANIFEST}: ${someOf(unlisted)}`;
  return [toleranceItem(item, faults.length, 0, `${found}${others}`)];
}

/** Path inside the folder → SHA-256 in hexadecimal. */
function readManifest(path: string): ReadonlyMap<string, string> {
  const digests = new Map<string, string>();
  for (const [index, line] of readText(path, 'the digests of a recording').split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const [, digest, name] = /^([0-9a-f]{64}) [ *](?:\.\/)?(.+)$/i.exec(line) ?? [];
    if (digest === undefined || name === undefined) {
      throw new UserError(
        `${path}: line ${index + 1} is not "SHA-256, two spaces, path"; ` +
          `write the file with: find . -type f ! -name ${MANIFEST} -exec sha256sum {} + | sort -k 2 > ${MANIFEST}`,
      );
    }
    digests.set(name, digest.toLowerCase());
  }
  if (digests.size === 0) throw new UserError(`${path} lists no file; remove it if the folder is to be unsigned.`);
  return digests;
}

function filesBelow(dir: string): ReadonlySet<string> {
  const entries = readdirSync(dir, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => !entry.isDirectory());
  const paths = files.map(({ parentPath, name }) => join(parentPath, name).slice(join(dir, sep).length));
  return new Set(paths.map((path) => path.split(sep).join('/')).sort());
}

function someOf(names: readonly string[]): string {
  return names.slice(0, 3).join(', ') + (names.length > 3 ? ` and ${names.length - 3} more` : '');
}

function sha256(path: string): string {
  try {
    return createHash('sha256').update(readFileSync(path)).digest('hex');
  } catch (error) {
    throw new UserError(`Cannot read the recording ${path}: ${messageOf(error)}.`);
  }
}
