/** Compiles tfjs-node's addon: two C++ files against TensorFlow's C API and Node-API, which is the same in every Node. */
import { join } from 'node:path';
import { ADDON_FILE } from '../engine/tensorflow-installation.js';
import { UserError } from '../errors.js';
import type { TensorflowLibrary } from './library.js';
import type { CommandOptions, RunCommand } from './run-command.js';

/** tfjs-node's own setting. */
const NAPI_VERSION = 8;

/** CXX of the environment, g++, c++ or clang++. @throws UserError when none starts. */
export async function findCompiler(run: RunCommand, options: CommandOptions): Promise<string> {
  const named = process.env.CXX ?? '';
  for (const compiler of named === '' ? ['g++', 'c++', 'clang++'] : [named]) {
    try {
      await run(compiler, ['--version'], options);
      return compiler;
    } catch {
      options.signal?.throwIfAborted();
    }
  }
  throw new UserError(
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

/** Compiles the addon into `folder`. */
export async function compileAddon(
  compiler: string,
  folder: string,
  packageName: string,
  library: TensorflowLibrary,
  run: RunCommand,
  options: CommandOptions,
): Promise<void> {
  await run(compiler, addonArguments(folder, packageName, library), options);
}
