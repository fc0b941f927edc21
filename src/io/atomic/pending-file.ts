/** Files in memory, to be written into a folder now or later, in this thread or another. */
import { copyFileSync, linkSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { UserError, messageOf } from '../../errors.js';
import { publishDirectory, removeDirectory, type StagedDirectory, writeSynced } from './atomic-file.js';

export interface PendingFile {
  readonly name: string;
  /** Owned: nobody else writes to their memory. */
  readonly pieces: readonly Uint8Array[];
}

export function textFile(name: string, text: string): PendingFile {
  return { name, pieces: [new TextEncoder().encode(text)] };
}

export function jsonFile(name: string, value: unknown): PendingFile {
  return textFile(name, `${JSON.stringify(value, null, 2)}\n`);
}

/** Writes files into a folder without readers (stageDirectory), synced. @throws UserError that names the file */
export function writePendingFiles(dir: string, files: readonly PendingFile[]): void {
  for (const { name, pieces } of files) {
    const path = join(dir, name);
    try {
      writeSynced(path, pieces);
    } catch (error) {
      throw new UserError(`Could not write ${path}: ${messageOf(error)}. Check its permissions and the free space.`);
    }
  }
}

/**
 * Puts the files of a folder into another, empty one: as hard links where possible, since they are never changed in
 * place, else as copies. @throws UserError that names the file
 */
function cloneFiles(from: string, to: string): void {
  for (const name of readdirSync(from)) {
    try {
      try {
        linkSync(join(from, name), join(to, name));
      } catch {
        copyFileSync(join(from, name), join(to, name));
      }
    } catch (error) {
      throw new UserError(`Could not write ${join(to, name)}: ${messageOf(error)}. Check the free space.`);
    }
  }
}

export interface WriteJob {
  readonly dir: string;
  readonly files: readonly PendingFile[];
  /** Done after writing; null where others have to write into the folder, too. */
  readonly publication: Publication | null;
}

export interface Publication {
  /** The first holds all files; the others, still empty, become copies of it. They appear in this order. */
  readonly folders: readonly StagedDirectory[];
  /** Folders that are removed after publication. */
  readonly outdated: readonly string[];
}

/** @throws UserError that names the file or folder */
export function runWriteJob({ dir, files, publication }: WriteJob): void {
  writePendingFiles(dir, files);
  if (publication === null) return;
  const { folders, outdated } = publication;
  const [first, ...others] = folders;
  for (const other of others) cloneFiles(first?.path ?? dir, other.path);
  for (const folder of folders) publishDirectory(folder);
  for (const path of outdated) removeDirectory(path);
}
