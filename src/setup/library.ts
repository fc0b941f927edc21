/**
 * TensorFlow's C library and headers, and the addon compiled with them. They come from an existing TensorFlow (`--lib
 * DIR`: the folder of a Python installation, or the unpacked C library) or from a Python wheel, with the CUDA libraries
 * of NVIDIA's wheels for GPUs. pip downloads, Python's zipfile unpacks; nothing is installed into Python, and its version
 * does not matter.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { ADDON_FILE } from '../engine/tensorflow-installation.js';
import { UserError } from '../errors.js';
import { firstToStart, type RunCommand } from './run-command.js';

/** Inputs of compiling and linking the addon. */
export interface TensorflowLibrary {
  /** Folder with tensorflow/c/c_api.h below it. */
  readonly include: string;
  readonly libraries: readonly string[];
  /** Search path of the addon at run time; may begin with $ORIGIN, the addon's folder. */
  readonly runPath: string;
}

const SETS = [
  ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'],
  ['libtensorflow.so.2', 'libtensorflow_framework.so.2'],
] as const;
const HEADER = join('tensorflow', 'c', 'eager', 'c_api.h');

/** TensorFlow in `site`, from the wheel; the addon will lie next to `site`. */
export function libraryInSite(site: string): TensorflowLibrary {
  const folder = join(site, 'tensorflow');
  return {
    include: join(folder, 'include'),
    libraries: SETS[0].map((name) => join(folder, name)),
    runPath: '$ORIGIN/site/tensorflow',
  };
}

/** Finds libraries and headers in a folder. @throws UserError that names the missing part */
export function findLibrary(folder: string): TensorflowLibrary {
  const root = resolve(folder);
  const places = [root, join(root, 'lib'), join(root, 'tensorflow')];
  for (const place of places) {
    const names = SETS.find((set) => set.every((name) => existsSync(join(place, name))));
    if (names === undefined) continue;
    const include = [join(place, 'include'), join(place, '..', 'include')].find((dir) => existsSync(join(dir, HEADER)));
    if (include === undefined)
      throw new UserError(`${place} has TensorFlow's libraries, but ${root} no include/${HEADER}`);
    return { include, libraries: names.map((name) => join(place, name)), runPath: place };
  }
  throw new UserError(
    `${root} has no ${SETS[0].join(' and ')} (nor ${SETS[1][0]}), neither itself nor in lib/ or tensorflow/`,
  );
}

/** TensorFlow's version by its headers; null where they have none. */
export function versionOfHeaders(include: string): string | null {
  const files = ['release_version.h', 'version.h'].map((name) => join(include, 'tensorflow', 'core', 'public', name));
  const text = files.map((path) => (existsSync(path) ? readFileSync(path, 'utf8') : '')).join('\n');
  const parts = ['MAJOR', 'MINOR', 'PATCH'].map(
    (part) => new RegExp(`#define TF_${part}_VERSION (\\d+)`).exec(text)?.[1],
  );
  return parts.every((part) => part !== undefined) ? parts.join('.') : null;
}

/** tfjs-node's own setting. */
const NAPI_VERSION = 8;

/** CXX of the environment, g++, c++ or clang++. @throws UserError when none starts. */
export function findCompiler(run: RunCommand): Promise<string> {
  const named = process.env.CXX ?? '';
  return firstToStart(named === '' ? ['g++', 'c++', 'clang++'] : [named], ['--version'], run, () =>
    named === ''
      ? 'no C++ compiler was found (g++, c++, clang++)'
      : `the C++ compiler that CXX names, ${named}, does not start`,
  );
}

/** Arguments that make `folder`/tfjs_binding.node. */
export function addonArguments(folder: string, packageName: string, library: TensorflowLibrary): string[] {
  const modules = join(folder, 'node_modules');
  const sources = join(modules, packageName, 'binding');
  return [
    ...['-std=c++17', '-O2', '-fPIC', '-shared', '-w'],
    ...[`-DNAPI_VERSION=${NAPI_VERSION}`, '-DBUILDING_NODE_EXTENSION', '-DNODE_GYP_MODULE_NAME=tfjs_binding'],
    ...['-I', join(modules, 'node-api-headers', 'include'), '-I', library.include],
    ...[join(sources, 'tfjs_backend.cc'), join(sources, 'tfjs_binding.cc')],
    ...library.libraries,
    `-Wl,-rpath,${library.runPath}`,
    ...['-o', join(folder, ADDON_FILE)],
  ];
}

/** The tested version of TensorFlow; --wheel takes another. */
export const TENSORFLOW_VERSION = '2.21.0';

/** pip's names of this platform: any Python's wheel holds the same libraries, so one version is requested. */
const WHEEL_PYTHON = ['--python-version=3.11', '--implementation=cp', '--abi=cp311', '--only-binary=:all:'];
const MANYLINUX = ['_2_28', '_2_27', '_2_17', '2014', '2010', '1'];

/** Wanted members of a wheel: TensorFlow's libraries, the headers of its C API, NVIDIA's libraries. */
const WANTED = [
  'tensorflow/libtensorflow_cc.so.2',
  'tensorflow/libtensorflow_framework.so.2',
  'tensorflow/include/tensorflow/c/*.h',
  'tensorflow/include/tensorflow/core/platform/*.h',
  'tensorflow/include/tsl/*.h',
  'tensorflow/include/xla/tsl/*.h',
  'nvidia/*/lib/*',
];

const NEEDED = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2', 'include/tensorflow/c/eager/c_api.h'];

/** Unpacks the members of a wheel that match a pattern, and prints its METADATA. */
const UNPACK = `
import fnmatch, sys, zipfile
wheel, target, *patterns = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    for name in archive.namelist():
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns):
            archive.extract(name, target)
        elif name.endswith('.dist-info/METADATA') and name.count('/') == 1:
            sys.stdout.write(archive.read(name).decode('utf-8'))
`;

/** Python, started with these arguments. @returns its output */
type RunPython = (args: readonly string[]) => Promise<string>;

/** Metadata of a wheel. */
interface WheelMetadata {
  readonly version: string | null;
  /** pip's requirements of its extra [and-cuda], e.g. 'nvidia-cublas-cu12<13.0,>=12.5.3.2'. */
  readonly cuda: readonly string[];
}

/** The wheel's name at PyPI: the small one for processors where there is one. */
export function tensorflowRequirement(gpu: boolean, arch: string): string {
  const isSmall = !gpu && arch === 'x64';
  return `${isSmall ? 'tensorflow-cpu' : 'tensorflow'}==${TENSORFLOW_VERSION}`;
}

/** python3, or python. @throws UserError when neither starts. */
export function findPython(withPip: boolean, run: RunCommand): Promise<string> {
  return firstToStart(['python3', 'python'], withPip ? ['-m', 'pip', '--version'] : ['--version'], run, (why) => {
    return `${withPip ? 'Python with pip, which downloads TensorFlow,' : 'Python, which unpacks the wheel,'} is missing (${why})`;
  });
}

/** Downloads the wheel of one requirement, without dependencies, into `folder`. @returns its path */
export async function downloadWheel(python: RunPython, requirement: string, folder: string, arch: string) {
  const machine = arch === 'arm64' ? 'aarch64' : 'x86_64';
  const platforms = MANYLINUX.map((name) => `--platform=manylinux${name}_${machine}`);
  mkdirSync(folder, { recursive: true });
  const before = new Set(readdirSync(folder));
  const flags = ['--no-deps', '--disable-pip-version-check', '--quiet', ...WHEEL_PYTHON, ...platforms];
  await python(['-m', 'pip', 'download', ...flags, `--dest=${folder}`, requirement]);
  const found = readdirSync(folder).find((name) => name.endsWith('.whl') && !before.has(name));
  if (found === undefined) throw new UserError(`pip downloaded no wheel for ${requirement}`);
  return join(folder, found);
}

/** Unpacks the wanted members of a wheel into `site`. @returns its METADATA @throws UserError when it is no wheel */
function unpackWheel(python: RunPython, wheel: string, site: string): Promise<string> {
  return python(['-c', UNPACK, wheel, site, ...WANTED]);
}

/** Unpacks TensorFlow's wheel. @throws UserError when it has no C library for Linux */
export async function unpackTensorflow(python: RunPython, wheel: string, site: string): Promise<WheelMetadata> {
  const metadata = parseMetadata(await unpackWheel(python, wheel, site));
  const missing = NEEDED.find((path) => !existsSync(join(site, 'tensorflow', path)));
  if (missing === undefined) return metadata;
  throw new UserError(`${basename(wheel)} has no tensorflow/${missing}: it is no TensorFlow 2 wheel for Linux`);
}

/** Downloads and unpacks NVIDIA's wheels one by one: together they are 3 GB. @returns their folders */
export async function addCuda(
  python: RunPython,
  requirements: readonly string[],
  folders: { readonly wheels: string; readonly site: string },
  { arch, note }: { readonly arch: string; readonly note: (line: string) => void },
): Promise<readonly string[]> {
  for (const [i, requirement] of requirements.entries()) {
    note(`${requirement} (${i + 1} of ${requirements.length})`);
    const wheel = await downloadWheel(python, requirement, folders.wheels, arch);
    await unpackWheel(python, wheel, folders.site);
    rmSync(wheel);
  }
  // TensorFlow looks for each part at ../nvidia/PART/lib from its own folder.
  const nvidia = join(folders.site, 'nvidia');
  const parts = existsSync(nvidia) ? readdirSync(nvidia) : [];
  return parts.filter((part) => existsSync(join(nvidia, part, 'lib'))).sort();
}

/** The version, and the requirements of the extra [and-cuda]. */
export function parseMetadata(metadata: string): WheelMetadata {
  const cuda = [...metadata.matchAll(/^Requires-Dist:\s*(nvidia-[^;]*?)\s*;[^\n]*extra\s*==\s*["']and-cuda["']/gm)];
  return {
    version: /^Version:\s*(\S+)/m.exec(metadata)?.[1] ?? null,
    // An older notation has the version in brackets.
    cuda: cuda.map((match) => (match[1] as string).replace(/[\s()]/g, '')),
  };
}
