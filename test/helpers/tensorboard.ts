/** TensorBoard's own readers, where a Python with TensorBoard is there. */
import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';

type Steps<T> = Readonly<Record<string, readonly (readonly [step: number, value: T])[]>>;

export interface TensorBoardView {
  readonly scalars: Steps<number | string>;
  /** step, width, height, PNG in hexadecimal */
  readonly images: Readonly<Record<string, readonly (readonly [number, number, number, string])[]>>;
  readonly texts: Steps<string>;
  /** Scalars, images (width and height) and texts as TensorBoard's server sees them. */
  readonly server: Steps<number | string>;
  readonly serverImages: Steps<readonly [string, string]>;
  readonly serverTexts: Steps<string>;
}

/** A Python that can import TensorBoard: GSVA_TENSORBOARD_PYTHON, or python3; null where there is none. */
export const TENSORBOARD_PYTHON = ((): string | null => {
  const python = process.env['GSVA_TENSORBOARD_PYTHON'] ?? 'python3';
  try {
    execFileSync(python, ['-c', 'import tensorboard.backend.event_processing.event_accumulator'], { stdio: 'ignore' });
    return python;
  } catch {
    return null;
  }
})();

export function readWithTensorBoard(dir: string): TensorBoardView {
  const script = resolve('test', 'helpers', 'read-tensorboard.py');
  const options = { encoding: 'utf8' as const, maxBuffer: 2 ** 28, stdio: 'pipe' as const };
  return JSON.parse(execFileSync(TENSORBOARD_PYTHON ?? '', [script, dir], options)) as TensorBoardView;
}
