/**
 * The npm packages of the engine `tensorflow`: tfjs-node without its install script (which would download TensorFlow
 * 2.9), the Node-API headers for its addon, and google-protobuf. Stand-ins replace its other dependencies. Those for
 * `@tensorflow/tfjs` and tfjs-core hand it the copy of tfjs-core in use (two copies would not share tensors); the rest
 * serve its install script and saved models only, and are empty.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CORE_KEY } from '../engine/tensorflow-installation.js';
import { writeJson } from '../io/json/json-file.js';
import type { RunCommand } from './run-command.js';

/** The version of all tfjs packages, as in package.json. */
export const TFJS_VERSION = '4.22.0';

const PACKAGES = { 'google-protobuf': '3.21.4', 'node-api-headers': '1.9.0' } as const;

const CORE = `const core = globalThis[Symbol.for('${CORE_KEY}')];
if (core === undefined) throw new Error('this copy of tfjs-node works inside GSVA only');
module.exports = core;
`;

const UNUSED = ['@mapbox/node-pre-gyp', 'adm-zip', 'https-proxy-agent', 'progress', 'rimraf', 'tar'];

/** Package → its whole code. */
const STAND_INS: Readonly<Record<string, string>> = {
  '@tensorflow/tfjs': CORE,
  '@tensorflow/tfjs-core': CORE,
  ...Object.fromEntries(UNUSED.map((name) => [name, ''])),
};

/** tfjs-node's name; both packages hold the same code. */
export function tfjsNodePackage(gpu: boolean): string {
  return gpu ? '@tensorflow/tfjs-node-gpu' : '@tensorflow/tfjs-node';
}

export async function installNpmPackages(folder: string, gpu: boolean, run: RunCommand): Promise<void> {
  const dependencies: Record<string, string> = { [tfjsNodePackage(gpu)]: TFJS_VERSION, ...PACKAGES };
  for (const [name, code] of Object.entries(STAND_INS)) {
    const place = join('stand-ins', name.replace('@', '').replace('/', '-'));
    mkdirSync(join(folder, place), { recursive: true });
    writeJson(join(folder, place, 'package.json'), { name, version: TFJS_VERSION, main: 'index.js' });
    writeFileSync(join(folder, place, 'index.js'), code);
    dependencies[name] = `file:${place}`;
  }
  // '$name': the same as the dependency of that name above.
  const overrides = Object.fromEntries(Object.keys(STAND_INS).map((name) => [name, `$${name}`]));
  writeJson(join(folder, 'package.json'), { private: true, dependencies, overrides });
  const [command, ...first] = npmCommand();
  const flags = ['--ignore-scripts', '--install-links', '--no-package-lock', '--no-audit', '--no-fund'];
  await run(command, [...first, 'install', ...flags, '--loglevel=error', '--prefix', folder], { cwd: folder });
}

/** npm itself; the same npm where it runs this (`npm exec`, `npm run`). */
export function npmCommand(): [string, ...string[]] {
  const running = process.env.npm_execpath ?? '';
  return /npm-cli\.c?js$/.test(running) ? [process.execPath, running] : ['npm'];
}
