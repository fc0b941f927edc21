/**
 * TensorFlow from a Python wheel: its C library and headers, and for GPUs the CUDA libraries of NVIDIA's wheels. pip
 * downloads, Python's zipfile unpacks; nothing is installed into Python, and its version does not matter.
 */
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { UserError } from '../errors.js';
import { firstToStart, type RunCommand } from './run-command.js';

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
export async function downloadWheel(
  python: RunPython,
  requirement: string,
  folder: string,
  arch: string,
): Promise<string> {
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
