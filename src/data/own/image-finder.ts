/**
 * Files of pictures by their names in annotations: relative or absolute, with slashes or backslashes, with folders of
 * the machine of a tool, or as an address. One rule for all importers and for own data.
 */
import { existsSync, readdirSync } from 'node:fs';
import { isAbsolute, join, posix, resolve } from 'node:path';

interface FinderOptions {
  /** Absolute paths are taken as they are where the file exists. */
  readonly absolute: boolean;
  /** So are relative ones that lead out of the folder. */
  readonly leadingOut: boolean;
}

export type Found =
  | { readonly path: string }
  /** Reason of its absence, as the end of a sentence, and its place by the whole name: null for a forbidden place. */
  | { readonly fault: string; readonly wouldBe: string | null };

const WINDOWS_ROOT = /^(?:[A-Za-z]:|\/\/[^/]+\/)/;
const ADDRESS = /^([a-z][a-z0-9+.-]+):\/\//i;

/** Finds the pictures of one folder and remembers what it has found, so that two names never become one picture. */
export class ImageFinder {
  /** The name that each file was found under by a part of its path alone. */
  private readonly byPath = new Map<string, string>();

  constructor(
    private readonly folder: string,
    private readonly options: FinderOptions,
  ) {}

  /**
   * The file of the written path in the folder; where that is absent or outside, the longest end of the path in the
   * folder, at last the bare name.
   * @param written as in the annotations
   */
  find(written: string): Found {
    const name = posix.normalize(plainPath(written));
    const steps = name.split('/').filter((step) => step !== '' && step !== '.');
    const last = steps.at(-1);
    if (last === undefined || last === '..' || name.includes('\0'))
      return { fault: 'it is not the name of a file', wouldBe: null };
    const direct = this.direct(name, steps);
    if (direct !== null && existsSync(direct)) return this.remember(direct, steps.join('/'));
    const inside = steps.slice(steps.lastIndexOf('..') + 1);
    for (let from = 0; from < inside.length; from++) {
      const path = join(this.folder, ...inside.slice(from));
      if (existsSync(path)) return this.remember(path, steps.join('/'));
    }
    return { fault: `there is no such file, and no ${last} in ${this.folder}`, wouldBe: direct };
  }

  /** Place of the picture by its name alone; null where that leads out of the folder and must not. */
  private direct(name: string, steps: readonly string[]): string | null {
    if (isAbsolute(name)) return this.options.absolute ? name : null;
    if (steps.includes('..') && !this.options.leadingOut) return null;
    return join(this.folder, ...steps);
  }

  private remember(path: string, name: string): Found {
    const key = resolve(path);
    const earlier = this.byPath.get(key);
    if (earlier === undefined) this.byPath.set(key, name);
    if (earlier === undefined || earlier === name) return { path };
    return {
      fault: `${path} would be found for it, as for ${JSON.stringify(earlier)}; whether they are one picture cannot be known`,
      wouldBe: null,
    };
  }
}

/** Sorted paths of the files below a folder whose names fit, without hidden ones and those in hidden folders. */
export function filesBelow(folder: string, name: RegExp): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => name.test(path) && !/(^|[/\\])\./.test(path))
    .sort()
    .map((path) => join(folder, path));
}

/** A path with slashes: of an address the part behind the machine, without the drive of Windows. */
function plainPath(written: string): string {
  if (ADDRESS.test(written)) {
    const [path = '', query = ''] = written.replace(ADDRESS, '').split('?', 2);
    const local = new URLSearchParams(query).get('d');
    if (local !== null) return local.replace(/^\/+/, '');
    return decoded(path.replace(/#.*$/s, '').replace(/^[^/]*\/+/, '')).replaceAll('\\', '/');
  }
  const slashes = written.replaceAll('\\', '/');
  // Label Studio serves files of the machine as /data/local-files/?d=folder/a.jpg.
  const local = /\/data\/local-files\/\?d=(.+)$/.exec(slashes)?.[1];
  if (local !== undefined) return decoded(local);
  // Absolute elsewhere, not here.
  return slashes.replace(WINDOWS_ROOT, '').replace(/^\/+(?=.)/, WINDOWS_ROOT.test(slashes) ? '' : '/');
}

/** With what %20 and the like stand for; as it is where it is not written so. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
