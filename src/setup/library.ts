/** An existing TensorFlow (`--lib DIR`): the folder of a Python installation, or the unpacked C library. */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { UserError } from '../errors.js';
import { ADDON_FILE } from '../engine/tensorflow-installation.js';
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
