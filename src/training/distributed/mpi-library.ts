/**
 * The machine's MPI library (Open MPI or MPICH), called by koffi. MPI's handles are addresses of symbols in Open MPI
 * and numbers in MPICH. Open MPI's plug-ins need a library that was loaded RTLD_GLOBAL.
 */
import { UserError, messageOf } from '../../errors.js';
import type { Launch } from './launch.js';

type Koffi = typeof import('koffi');
export type Address = number | bigint;
type CFunction = (...values: (Address | object)[]) => number;
type AsyncFunction = CFunction & { async: (...values: unknown[]) => void };

/** MPI's constants in one family of libraries. */
interface Handles {
  readonly world: Address;
  readonly float: Address;
  readonly double: Address;
  readonly sum: Address;
  readonly max: Address;
  /** MPI_IN_PLACE: the input is where the output goes. */
  readonly inPlace: Address;
  /** C type of a handle. */
  readonly type: 'uintptr_t' | 'int';
}

/** From MPICH's mpi.h; fixed by the ABI that MPICH, Intel MPI and MVAPICH agreed on (libmpi.so.12). */
const MPICH: Handles = {
  world: 0x44000000,
  float: 0x4c00040a,
  double: 0x4c00080b,
  sum: 0x58000003,
  max: 0x58000001,
  inPlace: -1n & 0xffffffffffffffffn,
  type: 'int',
};

/** Calls come from a thread of libuv's pool, one at a time; MPI_Abort may come from the main thread meanwhile. */
const THREAD_MULTIPLE = 3;
const THREAD_SERIALIZED = 2;
/** Stack of the threads that make collective calls; koffi's own 128 kB are not enough for MPICH. */
const STACK_BYTES = 4 * 1024 * 1024;

/** Collective calls that may block long; each runs in another thread and is awaited. */
export type Collective = (...values: Address[]) => Promise<void>;

export interface MpiLibrary {
  /** "Open MPI v4.1.4", for people. */
  readonly description: string;
  readonly rank: number;
  readonly size: number;
  readonly handles: Handles;
  readonly allReduce: Collective;
  readonly reduceScatterBlock: Collective;
  readonly allGather: Collective;
  readonly broadcast: Collective;
  readonly barrier: Collective;
  readonly finalize: Collective;
  /** The address of an array's first byte. */
  addressOf(array: Float32Array | Float64Array): Address;
  /** Ends all processes of the job, this one too. */
  abort(code: number): void;
}

/** Where the library is looked for, that of the launcher's family first. GSVA_MPI names one, and then it must load. */
export function mpiCandidates(family: Launch['family'], named: string): readonly string[] {
  if (named !== '') return [named];
  const openMpi = ['libmpi.so.40', '/usr/lib64/openmpi/lib/libmpi.so.40', 'libmpi.40.dylib'];
  const mpich = ['libmpi.so.12', 'libmpich.so.12', '/usr/lib64/mpich/lib/libmpi.so.12', 'libmpi.12.dylib'];
  return family === 'mpich' ? [...mpich, ...openMpi] : [...openMpi, ...mpich];
}

/** @throws UserError when there is no library that works */
export async function loadMpi(family: Launch['family'], named = process.env.GSVA_MPI ?? ''): Promise<MpiLibrary> {
  const koffi = await loadKoffi();
  const failures: string[] = [];
  for (const path of mpiCandidates(family, named)) {
    let library: import('koffi').LibraryHandle;
    try {
      library = koffi.load(path, { global: true });
    } catch (error) {
      failures.push(messageOf(error));
      continue;
    }
    return initialise(koffi, library, path);
  }
  throw new UserError(
    `Training in several processes needs an MPI library, and none could be loaded (${failures.join('; ')}). Install ` +
      'one (Debian, Ubuntu: `apt-get install openmpi-bin`), or name the path of libmpi.so in GSVA_MPI.',
  );
}

async function loadKoffi(): Promise<Koffi> {
  try {
    const koffi = await import('koffi');
    koffi.config({ async_stack_size: STACK_BYTES });
    return koffi;
  } catch (error) {
    throw new UserError(`Training in several processes needs koffi to call MPI, which failed: ${messageOf(error)}.`);
  }
}

function initialise(koffi: Koffi, library: import('koffi').LibraryHandle, path: string): MpiLibrary {
  const handles = handlesOf(koffi, library);
  const handle = handles.type;
  const address = 'uintptr_t';
  const define = (name: string, types: readonly string[]): AsyncFunction =>
    library.func(name, 'int', [...types]) as AsyncFunction;
  const call = (name: string, types: readonly string[], ...values: (Address | object)[]): void => {
    const code = define(name, types)(...values);
    if (code !== 0) throw failureOf(name, code);
  };
  const collective = (name: string, types: readonly string[]): Collective => {
    const entry = define(name, types);
    return (...values) =>
      new Promise((resolve, reject) => {
        entry.async(...values, (error: Error | null, code: number) => {
          if (error !== null) reject(error);
          else if (code !== 0) reject(failureOf(name, code));
          else resolve();
        });
      });
  };

  const provided = new Int32Array(1);
  call('MPI_Init_thread', [address, address, 'int', 'int *'], 0, 0, THREAD_MULTIPLE, provided);
  if ((provided[0] ?? 0) < THREAD_SERIALIZED) {
    throw new UserError(
      `The MPI library ${path} was built without threads (level ${provided[0] ?? 0}, at least ${THREAD_SERIALIZED} is ` +
        'needed); install another build.',
    );
  }
  const numberOf = (name: string): number => {
    const result = new Int32Array(1);
    call(name, [handle, 'int *'], handles.world, result);
    return result[0] ?? 0;
  };
  const abort = define('MPI_Abort', [handle, 'int']);
  return {
    description: versionOf(library),
    rank: numberOf('MPI_Comm_rank'),
    size: numberOf('MPI_Comm_size'),
    handles,
    allReduce: collective('MPI_Allreduce', [address, address, 'int', handle, handle, handle]),
    reduceScatterBlock: collective('MPI_Reduce_scatter_block', [address, address, 'int', handle, handle, handle]),
    allGather: collective('MPI_Allgather', [address, 'int', handle, address, 'int', handle, handle]),
    broadcast: collective('MPI_Bcast', [address, 'int', handle, 'int', handle]),
    barrier: collective('MPI_Barrier', [handle]),
    finalize: collective('MPI_Finalize', []),
    addressOf: (array) => koffi.address(array.buffer) + BigInt(array.byteOffset),
    abort: (code) => void abort(handles.world, code),
  };
}

function handlesOf(koffi: Koffi, library: import('koffi').LibraryHandle): Handles {
  const symbol = (name: string): Address => koffi.address(library.symbol(name));
  try {
    return {
      world: symbol('ompi_mpi_comm_world'),
      float: symbol('ompi_mpi_float'),
      double: symbol('ompi_mpi_double'),
      sum: symbol('ompi_mpi_op_sum'),
      max: symbol('ompi_mpi_op_max'),
      inPlace: 1,
      type: 'uintptr_t',
    };
  } catch {
    return MPICH;
  }
}

function versionOf(library: import('koffi').LibraryHandle): string {
  const text = Buffer.alloc(8192); // MPI_MAX_LIBRARY_VERSION_STRING is 256 in one family and 8192 in the other
  const length = new Int32Array(1);
  (library.func('MPI_Get_library_version', 'int', ['char *', 'int *']) as unknown as CFunction)(text, length);
  return text.toString('latin1', 0, length[0] ?? 0).split(/[,\n\0]/)[0] ?? 'MPI';
}

function failureOf(name: string, code: number): Error {
  return new Error(`${name} failed with MPI's error ${code}`);
}
