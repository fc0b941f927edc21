/** Work with folders that may be done in another thread: writing what is in memory, putting folders in their places. */
import { publishDirectory, removeDirectory, type StagedDirectory } from './atomic-file.js';
import { cloneFiles, type PendingFile, writePendingFiles } from './pending-file.js';

export interface WriteJob {
  /** Folder that the files are written into. */
  readonly dir: string;
  readonly files: readonly PendingFile[];
  /** What is done when they are there; null where others have to write into the folder, too. */
  readonly publication: Publication | null;
}

export interface Publication {
  /** The first holds all files; the others, still empty, become copies of it. They appear in this order. */
  readonly folders: readonly StagedDirectory[];
  /** Folders that are removed when all of those are in their places. */
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
