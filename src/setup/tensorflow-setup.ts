/**
 * `gsva setup tensorflow`: npm's packages, TensorFlow's libraries and the addon between them, in one atomic folder,
 * tried before it takes its place.
 */
import { existsSync, mkdirSync, realpathSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import {
  INSTALLATION_FILE,
  INSTALLATION_VERSION,
  type Installation,
  type InstallationNote,
  findInstallation,
} from '../engine/tensorflow-installation.js';
import { UserError, messageOf } from '../errors.js';
import { writeDirectoryAtomic } from '../io/atomic/atomic-file.js';
import {
  type TensorflowLibrary,
  addonArguments,
  findCompiler,
  findLibrary,
  libraryInSite,
  versionOfHeaders,
} from './library.js';
import { TFJS_VERSION, installNpmPackages, npmCommand, tfjsNodePackage } from './npm-packages.js';
import type { RunCommand } from './run-command.js';
import { addCuda, downloadWheel, findPython, tensorflowRequirement, unpackTensorflow } from './wheels.js';

export interface SetupRequest {
  readonly folder: string;
  /** With CUDA. */
  readonly gpu: boolean;
  /** TensorFlow's downloaded wheel; null: pip downloads it. */
  readonly wheel: string | null;
  /** A folder with TensorFlow's libraries and headers, used in place; null: a wheel. */
  readonly lib: string | null;
}

/** Outside services of the setup; tests pass fakes. */
export interface SetupTools {
  readonly run: RunCommand;
  readonly platform: NodeJS.Platform;
  readonly arch: string;
  readonly signal: AbortSignal;
  /** A line about progress. */
  note(line: string): void;
  /** Tries the engine in `folder` in another process. @returns a description. @throws where it does not work */
  check(folder: string): Promise<string>;
}

export interface StepReport {
  readonly step: string;
  readonly result: string;
  readonly seconds: number;
}

export interface SetupReport {
  readonly installation: Installation;
  /** Whether an equal installation existed and was only checked. */
  readonly wasThere: boolean;
  readonly steps: readonly StepReport[];
}

const GIB = 2 ** 30;
/** Space needed at the same time: the libraries and one wheel. */
const SPACE_NEEDED = { cpu: 1.6 * GIB, gpu: 9 * GIB } as const;

/**
 * Sets the engine up, or checks an equal installation.
 * @throws UserError naming the failed step, its reason, and advice; the folder is unchanged then
 */
export async function setupTensorflow(request: SetupRequest, given: SetupTools): Promise<SetupReport> {
  const { signal } = given;
  const run: RunCommand = (command, args, options) => given.run(command, args, { ...options, signal });
  const tools: SetupTools = { ...given, run };
  const steps = new Steps(tools);
  const source = sourceOf(request, tools.arch);
  const previous = readPrevious(request.folder);
  if (previous?.gpu === request.gpu && previous.source === source && previous.packageVersion === TFJS_VERSION) {
    try {
      await steps.run('check', ADVICE.check, () => checked(previous.folder, tools));
      return { installation: previous, wasThere: true, steps: steps.reports };
    } catch (error) {
      signal.throwIfAborted();
      tools.note(`the installation does not work (${messageOf(error)}): setting it up again`);
    }
  }
  await writeDirectoryAtomic(request.folder, (folder) => build(folder, request, source, steps, tools));
  const installation = findInstallation([resolve(request.folder)]);
  if (installation === null) throw new UserError(`Setting up tensorflow: ${request.folder} is gone again.`);
  return { installation, wasThere: false, steps: steps.reports };
}

/** Removes an installation. @returns whether there was one. @throws UserError where the folder is something else */
export function removeTensorflow(folder: string): boolean {
  if (!existsSync(folder)) return false;
  if (!existsSync(join(folder, INSTALLATION_FILE))) {
    throw new UserError(
      `Removing the engine tensorflow: ${folder} has no ${INSTALLATION_FILE}, so \`gsva setup tensorflow\` did not make ` +
        'it. Look what it is, and delete it yourself.',
    );
  }
  rmSync(folder, { recursive: true });
  return true;
}

const ADVICE = {
  needs: 'Install what is missing, or use an existing TensorFlow with --lib DIR',
  npm:
    'Check that npm reaches its registry (`npm ping`); behind a firewall, set a mirror with ' +
    '`npm config set registry URL`',
  tensorflow:
    'Check that pip reaches PyPI; behind a firewall, set PIP_INDEX_URL or PIP_FIND_LINKS, or give a wheel that was ' +
    'downloaded elsewhere with --wheel FILE',
  lib: 'Give --lib the folder `tensorflow` of a Python installation, or an unpacked libtensorflow with lib/ and include/',
  cuda: 'Check that pip reaches PyPI (PIP_INDEX_URL, PIP_FIND_LINKS), or set up without --gpu',
  addon: 'The compiler must know C++17 (g++ 8 or newer); CXX names another one',
  check: 'TF_CPP_MIN_LOG_LEVEL=0 shows what TensorFlow says; another version can be tried with --wheel',
} as const;

async function build(
  folder: string,
  request: SetupRequest,
  source: string,
  steps: Steps,
  tools: SetupTools,
): Promise<void> {
  const { gpu, lib } = request;
  const { run } = tools;
  const packageName = tfjsNodePackage(gpu);
  const programs = await steps.run('requirements', ADVICE.needs, () => findPrograms(request, tools));
  await steps.run('npm packages', ADVICE.npm, async () => {
    await installNpmPackages(folder, gpu, run);
    return { result: `${packageName} ${TFJS_VERSION}, without its install script`, value: null };
  });
  const { library, version } =
    lib === null
      ? await unpack(folder, request, source, programs.python, steps, tools)
      : await steps.run('TensorFlow', ADVICE.lib, () => Promise.resolve(lookAt(lib)));
  await steps.run('addon', ADVICE.addon, async () => {
    await run(programs.compiler, addonArguments(folder, packageName, library));
    return { result: `compiled with ${programs.compiler}`, value: null };
  });
  const note: InstallationNote = {
    version: INSTALLATION_VERSION,
    package: packageName,
    packageVersion: TFJS_VERSION,
    tensorflow: version,
    gpu,
    source,
  };
  writeFileSync(join(folder, INSTALLATION_FILE), `${JSON.stringify(note, null, 2)}\n`);
  await steps.run('check', ADVICE.check, () => checked(folder, tools));
}

interface Programs {
  readonly compiler: string;
  /** '' where none is needed. */
  readonly python: string;
}

/** Finds everything before anything is downloaded. */
async function findPrograms(request: SetupRequest, tools: SetupTools): Promise<Outcome<Programs>> {
  const { gpu, wheel, lib, folder } = request;
  const { run } = tools;
  requirePlatform(request, tools);
  if (lib === null) requireSpace(dirname(resolve(folder)), gpu);
  const compiler = await findCompiler(run);
  const [npm, ...first] = npmCommand();
  await run(npm, [...first, '--version']);
  const python = lib === null ? await findPython(wheel === null || gpu, run) : '';
  return { result: [compiler, 'npm', python].filter((name) => name !== '').join(', '), value: { compiler, python } };
}

interface Unpacked {
  readonly library: TensorflowLibrary;
  readonly version: string | null;
}

/** Unpacks TensorFlow's libraries from a wheel into `folder`/site, with CUDA's next to them if requested. */
async function unpack(
  folder: string,
  { gpu, wheel }: SetupRequest,
  source: string,
  python: string,
  steps: Steps,
  tools: SetupTools,
): Promise<Unpacked> {
  const { arch } = tools;
  const runPython = (args: readonly string[]): Promise<string> => tools.run(python, args);
  const [site, wheels] = [join(folder, 'site'), join(folder, 'wheels')];
  mkdirSync(site);
  const { version, cuda } = await steps.run('TensorFlow', ADVICE.tensorflow, async () => {
    if (wheel === null) tools.note(`  downloading ${source} ...`);
    const path = wheel ?? (await downloadWheel(runPython, source, wheels, arch));
    const metadata = await unpackTensorflow(runPython, path, site);
    rmSync(wheels, { recursive: true, force: true });
    return { result: `TensorFlow ${metadata.version ?? 'of unknown version'} (${source})`, value: metadata };
  });
  if (gpu) {
    await steps.run('CUDA libraries', ADVICE.cuda, async () => {
      if (cuda.length === 0) throw new UserError('this wheel has no extra [and-cuda]: it is one for the CPU only');
      const note = (line: string): void => {
        tools.note(line);
      };
      const parts = await addCuda(runPython, cuda, { wheels, site }, { arch, note });
      if (parts.length === 0) throw new UserError("NVIDIA's wheels brought no libraries");
      rmSync(wheels, { recursive: true, force: true });
      return { result: parts.join(', '), value: null };
    });
  }
  return { library: libraryInSite(site), version };
}

function lookAt(lib: string): Outcome<Unpacked> {
  const library = findLibrary(lib);
  const version = versionOfHeaders(library.include);
  const name = version === null ? 'TensorFlow' : `TensorFlow ${version}`;
  return { result: `${name} in ${library.runPath}, used where it is`, value: { library, version } };
}

async function checked(folder: string, tools: SetupTools): Promise<Outcome<null>> {
  return { result: await tools.check(folder), value: null };
}

/** Source of TensorFlow, in the note's words. */
function sourceOf({ wheel, lib, gpu }: SetupRequest, arch: string): string {
  const given = lib ?? wheel;
  return given === null ? tensorflowRequirement(gpu, arch) : existsSync(given) ? realpathSync(given) : resolve(given);
}

/** An unreadable note counts as none: it is replaced. */
function readPrevious(folder: string): Installation | null {
  try {
    return findInstallation([folder]);
  } catch {
    return null;
  }
}

function requirePlatform({ gpu, lib }: SetupRequest, { platform, arch }: SetupTools): void {
  if (platform !== 'linux') {
    throw new UserError(`it works on Linux, and this is ${platform}; the engine openblas is the fastest here`);
  }
  if (lib !== null) return;
  if (arch !== 'x64' && arch !== 'arm64') throw new UserError(`there is no wheel of TensorFlow for ${arch}`);
  if (gpu && arch !== 'x64') throw new UserError(`there is no wheel of TensorFlow with CUDA for ${arch}`);
}

function requireSpace(folder: string, gpu: boolean): void {
  let existing = folder;
  while (!existsSync(existing)) existing = dirname(existing);
  const { bavail, bsize } = statfsSync(existing);
  const needed = SPACE_NEEDED[gpu ? 'gpu' : 'cpu'];
  const free = bavail * bsize;
  if (free >= needed) return;
  const [has, needs] = [free, needed].map((bytes) => `${(bytes / GIB).toFixed(1)} GiB`) as [string, string];
  throw new UserError(
    `${folder} has ${has} free, and ${needs} are needed; GSVA_TENSORFLOW names a folder on another disk`,
  );
}

/** Result of a step, and its report. */
interface Outcome<T> {
  readonly result: string;
  readonly value: T;
}

/** Runs the steps in order and keeps their reports; a failure is reported with its step and advice. */
class Steps {
  readonly reports: StepReport[] = [];

  constructor(private readonly tools: Pick<SetupTools, 'note' | 'signal'>) {}

  async run<T>(step: string, advice: string, work: () => Promise<Outcome<T>>): Promise<T> {
    this.tools.signal.throwIfAborted();
    this.tools.note(`${step} ...`);
    const startedAt = performance.now();
    try {
      const { result, value } = await work();
      this.reports.push({ step, result, seconds: (performance.now() - startedAt) / 1000 });
      return value;
    } catch (error) {
      this.tools.signal.throwIfAborted();
      throw new UserError(`Setting up tensorflow, step "${step}": ${messageOf(error)}. ${advice}.`);
    }
  }
}
