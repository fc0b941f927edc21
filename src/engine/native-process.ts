/**
 * What native libraries see of this process and Node offers no way to change: the C library's environment, and where
 * descriptor 2 leads. By koffi, on Linux and macOS.
 */
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const STDERR = 2;

/** Functions of the C library. */
export interface NativeProcess {
  /** Sets a variable that native code reads when it is loaded, unless the user has set it. */
  setDefault(name: string, value: string): void;
  /** Sets it whatever it was. */
  set(name: string, value: string): void;
  /** Calls `work` while all that is written on descriptor 2, by native code too, goes to a file. */
  capturingStderr<T>(work: () => T): { result: T; written: string };
}

/**
 * An assignment to process.env reaches the C library from the main thread only (and not from Jest's sandbox), so the
 * environment is set by the C library itself; process.env of the main thread shows it.
 */
export async function nativeProcess(): Promise<NativeProcess> {
  const koffi = await import('koffi');
  const c = koffi.load(null);
  const setenv = c.func('int setenv(const char *name, const char *value, int overwrite)');
  const dup = c.func('int dup(int fd)') as (fd: number) => number;
  const dup2 = c.func('int dup2(int from, int to)') as (from: number, to: number) => number;
  return {
    setDefault: (name, value) => {
      setenv(name, value, 0);
    },
    set: (name, value) => {
      setenv(name, value, 1);
    },
    capturingStderr: (work) => {
      const folder = mkdtempSync(join(tmpdir(), 'gsva-stderr-'));
      const path = join(folder, 'stderr');
      const file = openSync(path, 'w');
      const saved = dup(STDERR);
      try {
        dup2(file, STDERR);
        let result;
        try {
          result = work();
        } finally {
          if (saved >= 0) dup2(saved, STDERR);
        }
        return { result, written: readFileSync(path, 'utf8') };
      } finally {
        closeSync(file);
        if (saved >= 0) closeSync(saved);
        rmSync(folder, { recursive: true, force: true });
      }
    },
  };
}
