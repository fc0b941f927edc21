/** Tokenizer in a folder on disk. */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { NamedFiles } from './text/tokenizer-files.js';
import { Tokenizer, type TokenizerOptions } from './text/tokenizer.js';

/**
 * Reads tokenizer.model, else tokenizer.json, else vocab.json and merges.txt, and all added tokens that are listed.
 * @throws UserError where none exists, one cannot be used, or two contradict each other
 */
export function readTokenizer(folder: string, options: TokenizerOptions = {}): Tokenizer {
  return Tokenizer.fromFiles(filesOf(folder), options);
}

/** Files of a tokenizer in a folder on disk. */
export function filesOf(folder: string): NamedFiles {
  const path = (name: string): string => join(folder, name);
  const read = (name: string, most: number): Uint8Array | null => {
    const size = statSync(path(name), { throwIfNoEntry: false })?.size;
    if (size === undefined) return null;
    if (size > most) throw new Error(`it has ${size} bytes, more than ${most}`);
    return readFileSync(path(name));
  };
  return { folder, path, read };
}
