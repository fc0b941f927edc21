/**
 * Harmless names in checkpoints, of no use to a reader of weights: schedulers' counters, devices, settings of trainers.
 * Their objects are kept as opaque values; nothing is called. Classes of libraries and programs are harmless; functions
 * are not, nor is anything of Python itself, which harmful pickles call.
 */
import { PickleGlobal, PickleOpaque } from './pickle-values.js';

/** The only allowed names of Python, and of functions. */
const LISTED: ReadonlySet<string> = new Set([
  ...[
    'collections Counter',
    'collections deque',
    'collections ChainMap',
    'types SimpleNamespace',
    'argparse Namespace',
  ],
  ...['pathlib Path', 'pathlib PosixPath', 'pathlib WindowsPath', 'pathlib PurePath', 'pathlib PurePosixPath'],
  ...['pathlib PureWindowsPath', 'pathlib._local PosixPath', 'pathlib._local WindowsPath', 'pathlib._local Path'],
  ...['datetime datetime', 'datetime date', 'datetime time', 'datetime timedelta', 'datetime timezone'],
  ...['decimal Decimal', 'fractions Fraction', 'uuid UUID', 'random Random', '_io BytesIO'],
  ...['builtins complex', 'builtins bytearray', 'builtins slice', 'builtins range', 'builtins object', 'builtins list'],
  ...['builtins dict', 'builtins tuple', 'builtins int', 'builtins float', 'builtins str', 'builtins bool'],
  ...['__builtin__ complex', '__builtin__ bytearray', '__builtin__ object', 'copyreg _reconstructor'],
  ...['copy_reg _reconstructor', '__builtin__ slice', '__builtin__ list', '__builtin__ dict', '__builtin__ long'],
  ...['torch device', 'torch Generator', 'torch.serialization _get_layout', 'torch._C Generator'],
  ...['torch strided', 'torch sparse_coo', 'torch contiguous_format', 'torch channels_last', 'torch preserve_format'],
  ...['numpy dtype', 'numpy ndarray', 'numpy.core.multiarray scalar', 'numpy._core.multiarray scalar'],
  ...[
    'numpy.core.multiarray _reconstruct',
    'numpy._core.multiarray _reconstruct',
    'numpy.random._pickle __randomstate_ctor',
  ],
  ...['numpy.random._pickle __generator_ctor', 'numpy.random._pickle __bit_generator_ctor'],
  ...['numpy.core.numeric _frombuffer', 'numpy._core.numeric _frombuffer'],
  ...['numpy float64', 'numpy float32', 'numpy int64', 'numpy int32', 'numpy bool_', 'numpy bool'],
  ...['deepspeed.utils.tensor_fragment fragment_address'],
]);

/** Packages of Python itself that reach, or could reach, the machine: all their names are refused. */
const PYTHON = new RegExp(
  `^(?:${[
    '__builtin__ builtins __main__.__builtins__ os posix nt ntpath posixpath sys subprocess _posixsubprocess commands popen2',
    'importlib imp pkgutil runpy code codeop compileall py_compile marshal pickle _pickle cPickle dill cloudpickle joblib',
    'shelve copyreg copy_reg types functools operator _operator itertools collections io _io codecs _codecs ctypes _ctypes',
    'cffi mmap socket _socket ssl asyncio selectors signal threading _thread multiprocessing concurrent sched queue',
    'shutil tempfile glob fileinput pathlib zipfile tarfile gzip bz2 lzma zlib http urllib urllib2 httplib requests ftplib',
    'smtplib poplib imaplib telnetlib xmlrpc webbrowser antigravity platform pty tty pdb bdb cProfile profile timeit trace',
    'inspect ast dis gc weakref atexit site sysconfig venv ensurepip pip setuptools distutils idlelib lib2to3 doctest',
    'unittest test getpass pwd grp crypt resource fcntl termios curses readline rlcompleter logging warnings contextlib',
    'xml html json plistlib csv sqlite3 dbm random datetime decimal fractions uuid argparse optparse enum dataclasses typing',
  ]
    .join(' ')
    .split(' ')
    .map((name) => name.replaceAll('.', '\\.'))
    .join('|')})(?:\\.|$)`,
);
/** A class by Python's custom: its last part begins with a capital. */
const CLASS = /(?:^|\.)_*[A-Z][A-Za-z0-9_]*$/;

/** A global that stands for an opaque value; null for a name that is not harmless. */
export function harmlessGlobal(module: string, name: string): PickleGlobal | null {
  const full = `${module} ${name}`;
  const isClass = CLASS.test(name) && !PYTHON.test(module);
  if (!LISTED.has(full) && !isClass) return null;
  return new PickleGlobal(full, (args, context) => {
    context.spend(OPAQUE_BYTES);
    // Counter({...}): what it is made of may be a dict of tensors.
    const items = args.find((arg) => arg instanceof Map);
    return new PickleOpaque(`${module}.${name}`, new Map(items ?? []));
  });
}

const OPAQUE_BYTES = 240;
