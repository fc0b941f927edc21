/**
 * Folder and note of the engine `tensorflow`, as `gsva setup tensorflow` makes them. The folder holds the npm packages
 * of tfjs-node (node_modules/), TensorFlow's libraries (site/, unless an existing TensorFlow is used) and the addon
 * between them. The note is written last: a folder without it is no installation.
 */
import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UserError, messageOf } from '../errors.js';
import { gsvaCommand } from '../program.js';

export const INSTALLATION_FILE = 'installation.json';
/** Raised when installations change in a way that older ones cannot serve. */
export const INSTALLATION_VERSION = 1;
export const ADDON_FILE = 'tfjs_binding.node';
/** Name of the global symbol under which the installed packages find the copy of tfjs-core that everything here uses. */
export const CORE_KEY = 'gsva.tfjs-core';

export interface InstallationNote {
  readonly version: number;
  /** The npm package: @tensorflow/tfjs-node or @tensorflow/tfjs-node-gpu. */
  readonly package: string;
  readonly packageVersion: string;
  /** TensorFlow's version, e.g. '2.21.0'; null where an existing library does not say. */
  readonly tensorflow: string | null;
  /** Whether TensorFlow's CUDA libraries were asked for. */
  readonly gpu: boolean;
  /** Source of TensorFlow: package==version, a wheel's path, or a folder. */
  readonly source: string;
}

export interface Installation extends InstallationNote {
  readonly folder: string;
}

/** GSVA_TENSORFLOW; else .gsva/tensorflow in the package; else, where that cannot be written, ~/.cache/gsva/tensorflow. */
export function installationFolders(): readonly string[] {
  const named = process.env.GSVA_TENSORFLOW ?? '';
  if (named !== '') return [resolve(named)];
  const root = fileURLToPath(new URL('../..', import.meta.url));
  return [join(root, '.gsva', 'tensorflow'), join(homedir(), '.cache', 'gsva', 'tensorflow')];
}

/** The first of the folders that can be written, else the last. */
export function folderToInstallIn(folders: readonly string[] = installationFolders()): string {
  return folders.find(isWritable) ?? (folders.at(-1) as string);
}

/** The installation in the first folder that has one. */
export function findInstallation(folders: readonly string[] = installationFolders()): Installation | null {
  const folder = folders.find((candidate) => existsSync(join(candidate, INSTALLATION_FILE)));
  return folder === undefined ? null : { ...readNote(join(folder, INSTALLATION_FILE)), folder };
}

function readNote(path: string): InstallationNote {
  const refused = (problem: string): UserError =>
    new UserError(
      `Reading ${path}, the note on the engine tensorflow: ${problem}. Run \`${gsvaCommand('setup tensorflow')}\` again.`,
    );
  let note: Partial<Record<keyof InstallationNote, unknown>>;
  try {
    note = JSON.parse(readFileSync(path, 'utf8')) as typeof note;
  } catch (error) {
    throw refused(messageOf(error));
  }
  if (note.version !== INSTALLATION_VERSION) {
    const found = `expected version ${INSTALLATION_VERSION}, found ${JSON.stringify(note.version ?? null)}`;
    throw refused(`${found}: it was set up by another version of GSVA`);
  }
  return {
    version: INSTALLATION_VERSION,
    package: String(note.package),
    packageVersion: String(note.packageVersion),
    tensorflow: typeof note.tensorflow === 'string' ? note.tensorflow : null,
    gpu: note.gpu === true,
    source: String(note.source),
  };
}

/** Whether the folder, or the nearest one above it that exists, may be written. */
function isWritable(folder: string): boolean {
  let existing = folder;
  while (!existsSync(existing) && dirname(existing) !== existing) existing = dirname(existing);
  try {
    accessSync(existing, constants.W_OK);
    return statSync(existing).isDirectory();
  } catch {
    return false;
  }
}
