/**
 * BLAS library of this machine (OpenBLAS, or Accelerate on macOS), whose cblas_sgemm works in place on the WASM heap.
 * koffi makes the call in 0.2 µs.
 */
import { readFileSync } from 'node:fs';
import { availableParallelism, platform } from 'node:os';
import { UserError, messageOf } from '../errors.js';

const ROW_MAJOR = 101;
const NO_TRANSPOSE = 111;
const TRANSPOSE = 112;

/** Row-major C = op(A) · op(B); addresses are of this process, as numbers below 2^53. */
export interface Blas {
  readonly description: string;
  readonly threads: number;
  addressOf(buffer: ArrayBuffer): number;
  /** C [m, n] = op(A) [m, k] · op(B) [k, n], each stored densely: A as [k, m] when transposeA, B as [n, k]. */
  multiply(
    m: number,
    n: number,
    k: number,
    transposeA: boolean,
    transposeB: boolean,
    a: number,
    b: number,
    c: number,
  ): void;
  /** y [rows or columns] = op(A) · x with A stored as [rows, columns]; y must hold zeros. */
  multiplyVector(rows: number, columns: number, transposeA: boolean, a: number, x: number, y: number): void;
}

/**
 * Multiplications of a product up to which OpenBLAS is faster in one thread; it uses several from a hundredth of that
 * on. Attention inside a window, for example, runs at almost twice the speed.
 */
const LARGEST_FOR_ONE_THREAD = 2 ** 23;

/**
 * Numbers of a matrix up to which its product with a vector runs in one thread: it takes some 10 µs, and waiting for
 * another thread up to milliseconds on a busy processor. Attention of a generated token, per head.
 */
const LARGEST_VECTOR_FOR_ONE_THREAD = 2 ** 17;

export function blasCandidates(os: NodeJS.Platform): readonly string[] {
  if (os === 'darwin') return ['/System/Library/Frameworks/Accelerate.framework/Accelerate'];
  if (os === 'win32') return ['libopenblas.dll', 'openblas.dll'];
  const folders = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib64', '/usr/local/lib'];
  return [
    ...folders.map((folder) => `${folder}/openblas-pthread/libopenblas.so.0`),
    'libopenblas.so.0',
    'libopenblas.so',
    'libopenblasp.so.0',
    ...folders.map((folder) => `${folder}/openblas-openmp/libopenblas.so.0`),
    ...folders.map((folder) => `${folder}/libopenblas.so.0`),
  ];
}

/**
 * The OpenBLAS kernels to request, null for OpenBLAS's own choice. Older versions take an AMD processor with AVX-512
 * for one without and use Haswell kernels, at half the speed.
 */
export function coreTypeFor(cpuInfo: string): string | null {
  if (cpuInfo.includes('GenuineIntel')) return null;
  const flags = /^flags\s*:(.*)$/m.exec(cpuInfo)?.[1]?.split(' ') ?? [];
  const needed = ['avx512f', 'avx512dq', 'avx512bw', 'avx512vl', 'avx512cd'];
  return needed.every((flag) => flags.includes(flag)) ? 'SkylakeX' : null;
}

function readCpuInfo(): string {
  try {
    return readFileSync('/proc/cpuinfo', 'latin1');
  } catch {
    return ''; // not Linux
  }
}

/** The first library that loads, else null. GSVA_BLAS names one, and then it must load. */
export async function loadBlas(threads = availableParallelism()): Promise<Blas | null> {
  const named = process.env.GSVA_BLAS ?? '';
  let koffi: typeof import('koffi');
  try {
    koffi = await import('koffi');
  } catch (error) {
    if (named === '') return null; // koffi has no build for this machine
    throw new UserError(`Loading the BLAS library ${named} (GSVA_BLAS) needs koffi, which failed: ${messageOf(error)}`);
  }
  if (platform() === 'linux') {
    const coreType = coreTypeFor(readCpuInfo());
    // OpenBLAS reads its environment when it is loaded; setenv overwrites nothing that the user has set.
    // (An assignment to process.env would not reach the C library from a worker thread.)
    const setenv = koffi.load(null).func('int setenv(const char *name, const char *value, int overwrite)');
    if (coreType !== null) setenv('OPENBLAS_CORETYPE', coreType, 0);
  }
  const failures: string[] = [];
  for (const path of named === '' ? blasCandidates(platform()) : [named]) {
    try {
      return bind(koffi, path, threads);
    } catch (error) {
      failures.push(messageOf(error));
    }
  }
  if (named === '') return null;
  throw new UserError(
    `Loading the BLAS library that GSVA_BLAS names failed: ${failures.join('; ')}. ` +
      'Give the path of a shared library with cblas_sgemm, for example libopenblas.so.0, or unset GSVA_BLAS.',
  );
}

function bind(koffi: typeof import('koffi'), path: string, threads: number): Blas {
  const library = koffi.load(path);
  /** Routines begin with the order, transposes and sizes; then come α, two operands, β and the result. */
  const routine = (name: string, integers: number): ((...values: number[]) => void) => {
    const [first, operand] = [new Array<string>(integers).fill('int'), ['uintptr_t', 'int']];
    return library.func(name, 'void', [...first, 'float', ...operand, ...operand, 'float', ...operand]);
  };
  const [sgemm, sgemv] = [routine('cblas_sgemm', 6), routine('cblas_sgemv', 4)];
  const { description, threads: used, setThreads } = configure(library, path, threads);
  let current = used;
  const useThreads = (wanted: number): void => {
    if (wanted !== current) setThreads(wanted);
    current = wanted;
  };
  return {
    description,
    threads: used,
    addressOf: (buffer) => Number(koffi.address(buffer)),
    multiply: (m, n, k, transposeA, transposeB, a, b, c) => {
      useThreads(m * n * k <= LARGEST_FOR_ONE_THREAD ? 1 : used);
      const [opA, opB] = [transposeA ? TRANSPOSE : NO_TRANSPOSE, transposeB ? TRANSPOSE : NO_TRANSPOSE];
      sgemm(ROW_MAJOR, opA, opB, m, n, k, 1, a, transposeA ? m : k, b, transposeB ? k : n, 0, c, n);
    },
    multiplyVector: (rows, columns, transposeA, a, x, y) => {
      useThreads(rows * columns <= LARGEST_VECTOR_FOR_ONE_THREAD ? 1 : used);
      sgemv(ROW_MAJOR, transposeA ? TRANSPOSE : NO_TRANSPOSE, rows, columns, 1, a, columns, x, 1, 0, y, 1);
    },
  };
}

/** Sets the number of threads where the library permits, and describes it. */
function configure(library: import('koffi').LibraryHandle, path: string, threads: number) {
  try {
    const setThreads = library.func('void openblas_set_num_threads(int)') as unknown as (threads: number) => void;
    setThreads(threads);
    const used = library.func('int openblas_get_num_threads()')() as number;
    const version = /\d+\.\d+\.\d+/.exec(library.func('const char *openblas_get_config()')() as string)?.[0] ?? '';
    const core = library.func('const char *openblas_get_corename()')() as string;
    return { description: `OpenBLAS ${version} (${core})`, threads: used, setThreads };
  } catch {
    const description = path.includes('Accelerate') ? 'Accelerate' : path;
    return { description, threads, setThreads: (): void => undefined };
  }
}
