/**
 * `gsva setup tensorflow`: npm's packages, TensorFlow's libraries and the addon between them, in one atomic folder,
 * tried before it takes its place.
 */
import { existsSync, mkdirSync, realpathSync, rmSync } from 'node:fs';
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
import { writeJson } from '../io/json/json-file.js';
import { bytesText, freeDisk } from '../machine.js';
import {
  addCuda,
  addonArguments,
  downloadWheel,
  findCompiler,
  findLibrary,
  findPython,
  libraryInSite,
  type TensorflowLibrary,
  tensorflowRequirement,
  unpackTensorflow,
  versionOfHeaders,
} from './library.js';
import { TFJS_VERSION, installNpmPackages, npmCommand, tfjsNodePackage } from './npm-packages.js';
import type { RunCommand } from './run-command.js';

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

/** Bytes needed at the same time: the libraries and one wheel. */
const SPACE_NEEDED = { cpu: 1.6 * 2 ** 30, gpu: 9 * 2 ** 30 } as const;

/** Advice where a step fails. */
const ADVICE = {
  requirements: 'Install what is missing, or use an existing TensorFlow with --lib DIR',
  'npm packages':
    'Check that npm reaches its registry (`npm ping`); behind a firewall, set a mirror with ' +
    '`npm config set registry URL`',
  TensorFlow:
    'Check that pip reaches PyPI; behind a firewall, set PIP_INDEX_URL or PIP_FIND_LINKS, or give a wheel that was ' +
    'downloaded elsewhere with --wheel FILE',
  'CUDA libraries': 'Check that pip reaches PyPI (PIP_INDEX_URL, PIP_FIND_LINKS), or set up without --gpu',
  addon: 'The compiler must know C++17 (g++ 8 or newer); CXX names another one',
  check: 'TF_CPP_MIN_LOG_LEVEL=0 shows what TensorFlow says; another version can be tried with --wheel',
} as const;
const LIB_ADVICE =
  'Give --lib the folder `tensorflow` of a Python installation, or an unpacked libtensorflow with lib/ and include/';

/**
 * Sets the engine up, or checks an equal installation.
 * @throws UserError naming the failed step, its reason, and advice; the folder is unchanged then
 */
export async function setupTensorflow(request: SetupRequest, given: SetupTools): Promise<SetupReport> {
  const { signal } = given;
  const run: RunCommand = (command, args, options) => given.run(command, args, { ...options, signal });
  const setup = new Setup(request, { ...given, run });
  const previous = readPrevious(request.folder);
  const isEqual = previous?.gpu === request.gpu && previous.source === setup.source;
  if (isEqual && previous.packageVersion === TFJS_VERSION) {
    try {
      await setup.check(previous.folder);
      return { installation: previous, wasThere: true, steps: setup.reports };
    } catch (error) {
      signal.throwIfAborted();
      given.note(`the installation does not work (${messageOf(error)}): setting it up again`);
    }
  }
  await writeDirectoryAtomic(request.folder, (folder) => setup.build(folder));
  const installation = findInstallation([resolve(request.folder)]);
  if (installation === null) throw new UserError(`Setting up tensorflow: ${request.folder} is gone again.`);
  return { installation, wasThere: false, steps: setup.reports };
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

/** An unreadable note counts as none: it is replaced. */
function readPrevious(folder: string): Installation | null {
  try {
    return findInstallation([folder]);
  } catch {
    return null;
  }
}

/** Result of a step for its report, and for the next steps. */
type Outcome<T> = readonly [result: string, value: T];

interface Unpacked {
  readonly library: TensorflowLibrary;
  readonly version: string | null;
}

class Setup {
  readonly reports: StepReport[] = [];
  /** Source of TensorFlow, in the note's words. */
  readonly source: string;

  constructor(
    private readonly request: SetupRequest,
    private readonly tools: SetupTools,
  ) {
    const { wheel, lib, gpu } = request;
    const given = lib ?? wheel;
    if (given === null) this.source = tensorflowRequirement(gpu, tools.arch);
    else this.source = existsSync(given) ? realpathSync(given) : resolve(given);
  }

  /** Runs a step and keeps its report; a failure is reported with its step and advice. */
  private async step<T>(
    step: keyof typeof ADVICE,
    work: () => Outcome<T> | Promise<Outcome<T>>,
    advice: string = ADVICE[step],
  ): Promise<T> {
    this.tools.signal.throwIfAborted();
    this.tools.note(`${step} ...`);
    const startedAt = performance.now();
    try {
      const [result, value] = await work();
      this.reports.push({ step, result, seconds: (performance.now() - startedAt) / 1000 });
      return value;
    } catch (error) {
      this.tools.signal.throwIfAborted();
      throw new UserError(`Setting up tensorflow, step "${step}": ${messageOf(error)}. ${advice}.`);
    }
  }

  async check(folder: string): Promise<void> {
    await this.step('check', async () => [await this.tools.check(folder), null]);
  }

  async build(folder: string): Promise<void> {
    const { gpu, lib } = this.request;
    const { run } = this.tools;
    const packageName = tfjsNodePackage(gpu);
    const { compiler, python } = await this.step('requirements', () => this.findPrograms());
    await this.step('npm packages', async () => {
      await installNpmPackages(folder, gpu, run);
      return [`${packageName} ${TFJS_VERSION}, without its install script`, null];
    });
    const { library, version } =
      lib === null ? await this.unpack(folder, python) : await this.step('TensorFlow', () => lookAt(lib), LIB_ADVICE);
    await this.step('addon', async () => {
      await run(compiler, addonArguments(folder, packageName, library));
      return [`compiled with ${compiler}`, null];
    });
    const note: InstallationNote = {
      version: INSTALLATION_VERSION,
      package: packageName,
      packageVersion: TFJS_VERSION,
      tensorflow: version,
      gpu,
      source: this.source,
    };
    writeJson(join(folder, INSTALLATION_FILE), note);
    await this.check(folder);
  }

  /** Finds everything before anything is downloaded; Python is '' where none is needed. */
  private async findPrograms(): Promise<Outcome<{ compiler: string; python: string }>> {
    const { gpu, wheel, lib, folder } = this.request;
    const { run, platform, arch } = this.tools;
    if (platform !== 'linux') {
      throw new UserError(`it works on Linux, and this is ${platform}; the engine openblas is the fastest here`);
    }
    if (lib === null) {
      if (arch !== 'x64' && arch !== 'arm64') throw new UserError(`there is no wheel of TensorFlow for ${arch}`);
      if (gpu && arch !== 'x64') throw new UserError(`there is no wheel of TensorFlow with CUDA for ${arch}`);
      requireSpace(dirname(resolve(folder)), gpu);
    }
    const compiler = await findCompiler(run);
    const [npm, ...first] = npmCommand();
    await run(npm, [...first, '--version']);
    const python = lib === null ? await findPython(wheel === null || gpu, run) : '';
    return [[compiler, 'npm', python].filter((name) => name !== '').join(', '), { compiler, python }];
  }

  /** Unpacks TensorFlow's libraries from a wheel into `folder`/site, with CUDA's next to them if requested. */
  private async unpack(folder: string, python: string): Promise<Unpacked> {
    const { arch, run } = this.tools;
    const { gpu, wheel } = this.request;
    const runPython = (args: readonly string[]): Promise<string> => run(python, args);
    const note = (line: string): void => {
      this.tools.note(`  ${line}`);
    };
    const [site, wheels] = [join(folder, 'site'), join(folder, 'wheels')];
    mkdirSync(site);
    const { version, cuda } = await this.step('TensorFlow', async () => {
      if (wheel === null) note(`downloading ${this.source} ...`);
      const path = wheel ?? (await downloadWheel(runPython, this.source, wheels, arch));
      const metadata = await unpackTensorflow(runPython, path, site);
      rmSync(wheels, { recursive: true, force: true });
      return [`TensorFlow ${metadata.version ?? 'of unknown version'} (${this.source})`, metadata];
    });
    if (gpu) {
      await this.step('CUDA libraries', async () => {
        if (cuda.length === 0) throw new UserError('this wheel has no extra [and-cuda]: it is one for the CPU only');
        const parts = await addCuda(runPython, cuda, { wheels, site }, { arch, note });
        if (parts.length === 0) throw new UserError("NVIDIA's wheels brought no libraries");
        rmSync(wheels, { recursive: true, force: true });
        return [parts.join(', '), null];
      });
    }
    return { library: libraryInSite(site), version };
  }
}

function lookAt(lib: string): Outcome<Unpacked> {
  const library = findLibrary(lib);
  const version = versionOfHeaders(library.include);
  const name = version === null ? 'TensorFlow' : `TensorFlow ${version}`;
  return [`${name} in ${library.runPath}, used where it is`, { library, version }];
}

function requireSpace(folder: string, gpu: boolean): void {
  const needed = SPACE_NEEDED[gpu ? 'gpu' : 'cpu'];
  const free = freeDisk(folder) ?? Infinity;
  if (free >= needed) return;
  throw new UserError(
    `${folder} has ${bytesText(free)} free, and ${bytesText(needed)} are needed; ` +
      'GSVA_TENSORFLOW names a folder on another disk',
  );
}
