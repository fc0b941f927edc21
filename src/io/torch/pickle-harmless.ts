/**
 * Harmless names in checkpoints, of no use to a reader of weights: schedulers' counters, devices, settings of trainers.
 * Their objects are kept as opaque values; nothing is called. Classes of libraries and programs are harmless; functions
 * are not, nor is anything of Python itself, which harmful pickles call.
 */
import { PickleGlobal, PickleOpaque } from './pickle-values.js';

/** The only allowed names of Python, and of functions, by module. */
const LISTED: Readonly<Record<string, string>> = {
  collections: 'Counter deque ChainMap',
  types: 'SimpleNamespace',
  argparse: 'Namespace',
  pathlib: 'Path PosixPath WindowsPath PurePath PurePosixPath PureWindowsPath',
  'pathlib._local': 'PosixPath WindowsPath Path',
  datetime: 'datetime date time timedelta timezone',
  decimal: 'Decimal',
  fractions: 'Fraction',
  uuid: 'UUID',
  random: 'Random',
  _io: 'BytesIO',
  builtins: 'complex bytearray slice range object list dict tuple int float str bool',
  __builtin__: 'complex bytearray object slice list dict long',
  copyreg: '_reconstructor',
  copy_reg: '_reconstructor',
  torch: 'device Generator strided sparse_coo contiguous_format channels_last preserve_format',
  'torch.serialization': '_get_layout',
  'torch._C': 'Generator',
  numpy: 'dtype ndarray float64 float32 int64 int32 bool_ bool',
  'numpy.core.multiarray': 'scalar _reconstruct',
  'numpy._core.multiarray': 'scalar _reconstruct',
  'numpy.random._pickle': '__randomstate_ctor __generator_ctor __bit_generator_ctor',
  'numpy.core.numeric': '_frombuffer',
  'numpy._core.numeric': '_frombuffer',
  'deepspeed.utils.tensor_fragment': 'fragment_address',
};

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
  const isListed = Object.hasOwn(LISTED, module) && LISTED[module]?.split(' ').includes(name) === true;
  if (!isListed && (!CLASS.test(name) || PYTHON.test(module))) return null;
  return new PickleGlobal(`${module} ${name}`, (args, context) => {
    context.spend(OPAQUE_BYTES);
    // Counter({...}): what it is made of may be a dict of tensors.
    const items = args.find((arg) => arg instanceof Map);
    return new PickleOpaque(`${module}.${name}`, new Map(items ?? []));
  });
}

const OPAQUE_BYTES = 240;
