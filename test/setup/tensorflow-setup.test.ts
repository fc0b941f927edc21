/** `gsva setup tensorflow` with fake programs: what is run, what lies where, and what is told when a step fails. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from '@jest/globals';
import { UserError } from '../../src/errors.js';
import {
  addonArguments,
  findLibrary,
  parseMetadata,
  tensorflowRequirement,
  versionOfHeaders,
} from '../../src/setup/library.js';
import { CommandError, type RunCommand, runCommand } from '../../src/setup/run-command.js';
import { type SetupTools, removeTensorflow, setupTensorflow } from '../../src/setup/tensorflow-setup.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-setup-'));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

const METADATA = `Name: tensorflow
Version: 2.21.0
Requires-Dist: numpy>=1.26.0
Requires-Dist: nvidia-cublas-cu12<13.0,>=12.5.3.2; extra == "and-cuda"
Requires-Dist: nvidia-cudnn-cu12 (==9.3) ; extra == 'and-cuda'
`;

/** Programs that do what the real ones leave on the disk; `failing` names one that fails. */
function fakePrograms(failing: string | null, calls: string[][]): RunCommand {
  const write = (path: string, text = ''): void => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  };
  return (command, args, options) => {
    calls.push([command, ...args]);
    const line = [command, ...args].join(' ');
    if (failing !== null && line.includes(failing)) {
      return Promise.reject(new CommandError(`${command} failed (exit code 1): no luck`, true, ''));
    }
    if (args.includes('install')) {
      const { overrides } = JSON.parse(readFileSync(join(options?.cwd ?? '', 'package.json'), 'utf8')) as {
        overrides: Record<string, string>;
      };
      for (const name of Object.keys(overrides)) write(join(options?.cwd ?? '', 'node_modules', name, 'index.js'));
    } else if (args.includes('download')) {
      const folder = args.find((arg) => arg.startsWith('--dest='))?.slice('--dest='.length) ?? '';
      write(join(folder, `${(args.at(-1) ?? '').replace(/\W+/g, '_')}.whl`));
    } else if (args[0] === '-c') {
      const [, , wheel = '', site = ''] = args;
      if (wheel.includes('nvidia'))
        write(join(site, 'nvidia', wheel.includes('cudnn') ? 'cudnn' : 'cublas', 'lib', 'x.so'));
      else {
        for (const name of [
          'libtensorflow_cc.so.2',
          'libtensorflow_framework.so.2',
          'include/tensorflow/c/eager/c_api.h',
        ])
          write(join(site, 'tensorflow', name));
        return Promise.resolve(METADATA);
      }
    } else if (args.includes('-o')) write(args.at(-1) ?? '');
    return Promise.resolve('');
  };
}

describe('setting up tensorflow', () => {
  let home: string;
  let folder: string;
  let calls: string[][];
  let notes: string[];
  beforeEach(() => {
    home = mkdtempSync(join(scratch, 'home-'));
    folder = join(home, '.gsva', 'tensorflow');
    [calls, notes] = [[], []];
  });

  const tools = (changes: Partial<SetupTools> & { failing?: string } = {}): SetupTools => ({
    run: fakePrograms(changes.failing ?? null, calls),
    platform: 'linux',
    arch: 'x64',
    signal: new AbortController().signal,
    note: (line) => notes.push(line),
    check: (place) =>
      Promise.resolve(`checked ${existsSync(join(place, 'tfjs_binding.node')) ? 'the addon' : 'nothing'}`),
    ...changes,
  });
  const request = (changes: object = {}) => ({ folder, gpu: false, wheel: null, lib: null, ...changes });
  const programs = (): string[] => calls.map((call) => call.join(' '));

  test('packages without install scripts, a pinned wheel, an addon that finds its libraries, a check', async () => {
    const report = await setupTensorflow(request(), tools());
    expect(report).toMatchObject({ wasThere: false, installation: { folder, gpu: false, tensorflow: '2.21.0' } });
    expect(report.steps.map(({ step }) => step)).toEqual([
      'requirements',
      'npm packages',
      'TensorFlow',
      'addon',
      'check',
    ]);
    expect(report.steps.at(-1)?.result).toBe('checked the addon');
    expect(programs().find((line) => line.includes(' install '))).toContain('--ignore-scripts');
    expect(programs().find((line) => line.includes(' download '))).toMatch(/--no-deps.* tensorflow-cpu==2\.21\.0$/);
    expect(programs().find((line) => line.includes('tfjs_backend.cc'))).toContain('-Wl,-rpath,$ORIGIN/site/tensorflow');
    const { overrides } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { overrides: object };
    expect(overrides).toMatchObject({
      '@tensorflow/tfjs': '$@tensorflow/tfjs',
      '@mapbox/node-pre-gyp': '$@mapbox/node-pre-gyp',
    });
    expect(existsSync(join(folder, 'wheels'))).toBe(false); // 270 MB that nobody needs any more
  });

  test('once more only checks; another request sets up anew; a broken one too', async () => {
    await setupTensorflow(request(), tools());
    calls.length = 0;
    expect(await setupTensorflow(request(), tools())).toMatchObject({ wasThere: true });
    expect(calls).toEqual([]);

    let isBroken = true;
    const check = (): Promise<string> => {
      if (!isBroken) return Promise.resolve('fine');
      isBroken = false;
      return Promise.reject(new UserError('it is broken'));
    };
    expect(await setupTensorflow(request(), tools({ check }))).toMatchObject({ wasThere: false });
    expect(notes.join('\n')).toContain('it is broken');
    expect(await setupTensorflow(request({ gpu: true }), tools())).toMatchObject({ wasThere: false });
  });

  test("with --gpu: TensorFlow's own list of NVIDIA's wheels, laid beside it as it expects them", async () => {
    const { installation, steps } = await setupTensorflow(request({ gpu: true }), tools());
    expect(installation).toMatchObject({ gpu: true, package: '@tensorflow/tfjs-node-gpu' });
    const downloads = programs().filter((line) => line.includes(' download '));
    expect(downloads.map((line) => line.split(' ').at(-1))).toEqual([
      'tensorflow==2.21.0',
      'nvidia-cublas-cu12<13.0,>=12.5.3.2',
      'nvidia-cudnn-cu12==9.3',
    ]);
    expect(steps.find(({ step }) => step === 'CUDA libraries')?.result).toBe('cublas, cudnn');
    expect(existsSync(join(folder, 'site', 'nvidia', 'cudnn', 'lib', 'x.so'))).toBe(true);
  });

  test('with --wheel nothing is downloaded but from npm', async () => {
    const wheel = join(home, 'tensorflow_cpu-2.20.0.whl');
    writeFileSync(wheel, '');
    const { installation } = await setupTensorflow(request({ wheel }), tools());
    expect(installation.source).toBe(wheel);
    expect(programs().filter((line) => line.includes('download'))).toEqual([]);
    expect(existsSync(wheel)).toBe(true);
  });

  test('with --lib the library stays where it is, and Python is not needed', async () => {
    const lib = join(home, 'libtensorflow');
    mkdirSync(join(lib, 'lib'), { recursive: true });
    mkdirSync(join(lib, 'include', 'tensorflow', 'c', 'eager'), { recursive: true });
    for (const name of ['libtensorflow.so.2', 'libtensorflow_framework.so.2'])
      writeFileSync(join(lib, 'lib', name), '');
    writeFileSync(join(lib, 'include', 'tensorflow', 'c', 'eager', 'c_api.h'), '');
    await setupTensorflow(request({ lib }), tools({ failing: 'python' }));
    expect(programs().find((line) => line.includes('tfjs_backend.cc'))).toContain(`-Wl,-rpath,${join(lib, 'lib')}`);
    expect(existsSync(join(folder, 'site'))).toBe(false);
  });

  test.each([
    ['npm packages', 'install', /npm ping/],
    ['TensorFlow', 'download', /--wheel FILE/],
    ['addon', 'tfjs_backend.cc', /CXX/],
    ['requirements', '--version', /--lib DIR/],
  ])(
    'a failure in the step "%s" names it, says why and what to try, and leaves nothing',
    async (step, failing, advice) => {
      const failure = setupTensorflow(request(), tools({ failing }));
      await expect(failure).rejects.toThrow(`Setting up tensorflow, step "${step}": `);
      await expect(failure).rejects.toThrow(advice);
      await expect(failure).rejects.toBeInstanceOf(UserError);
      expect(readdirSync(join(home, '.gsva'))).toEqual([]);
    },
  );

  test('a failing check keeps what was set up before', async () => {
    await setupTensorflow(request(), tools());
    const check = (): Promise<string> => Promise.reject(new UserError('2 items failed'));
    await expect(setupTensorflow(request({ gpu: true }), tools({ check }))).rejects.toThrow(
      /step "check": 2 items failed/,
    );
    expect(await setupTensorflow(request(), tools())).toMatchObject({ wasThere: true, installation: { gpu: false } });
    expect(readdirSync(join(home, '.gsva'))).toEqual(['tensorflow']);
  });

  test('other systems and processors are refused before anything is run', async () => {
    await expect(setupTensorflow(request(), tools({ platform: 'darwin' }))).rejects.toThrow(/Linux.*darwin/);
    await expect(setupTensorflow(request({ gpu: true }), tools({ arch: 'arm64' }))).rejects.toThrow(/CUDA for arm64/);
    await expect(setupTensorflow(request(), tools({ arch: 's390x' }))).rejects.toThrow(/no wheel/);
    expect(calls).toEqual([]);
  });

  test('interrupted, nothing is left and no advice given', async () => {
    const controller = new AbortController();
    const run: RunCommand = (command, args, options) => {
      if (args.includes('install')) controller.abort();
      return fakePrograms(null, calls)(command, args, options);
    };
    await expect(setupTensorflow(request(), tools({ run, signal: controller.signal }))).rejects.toThrow(/abort/i);
    expect(readdirSync(join(home, '.gsva'))).toEqual([]);
  });

  test('--remove deletes what it made and nothing else', async () => {
    expect(removeTensorflow(folder)).toBe(false);
    await setupTensorflow(request(), tools());
    expect(removeTensorflow(folder)).toBe(true);
    expect(existsSync(folder)).toBe(false);
    const foreign = join(home, 'photos');
    mkdirSync(foreign);
    expect(() => removeTensorflow(foreign)).toThrow(/did not make it/);
    expect(existsSync(foreign)).toBe(true);
  });
});

describe('parts of setting up', () => {
  test('a wheel tells its version and what its extra [and-cuda] needs', () => {
    expect(parseMetadata(METADATA)).toEqual({
      version: '2.21.0',
      cuda: ['nvidia-cublas-cu12<13.0,>=12.5.3.2', 'nvidia-cudnn-cu12==9.3'],
    });
    expect(parseMetadata('')).toEqual({ version: null, cuda: [] });
    expect(tensorflowRequirement(false, 'arm64')).toMatch(/^tensorflow==/);
  });

  test('a folder without TensorFlow is refused with what is missing; headers tell the version', () => {
    expect(() => findLibrary(scratch)).toThrow(/libtensorflow_cc\.so\.2 and libtensorflow_framework\.so\.2/);
    const include = join(scratch, 'include');
    expect(versionOfHeaders(include)).toBeNull();
    mkdirSync(join(include, 'tensorflow', 'core', 'public'), { recursive: true });
    const defines = ['MAJOR 2', 'MINOR 21', 'PATCH 0'].map((text) => text.replace(/(\w+) /, '#define TF_$1_VERSION '));
    writeFileSync(join(include, 'tensorflow', 'core', 'public', 'release_version.h'), defines.join('\n'));
    expect(versionOfHeaders(include)).toBe('2.21.0');
  });

  test('paths with blanks and quotes are arguments of their own', () => {
    const library = { include: '/a b/inc', libraries: ["/a b/it's.so.2"], runPath: '/a b' };
    const args = addonArguments('/x y', '@tensorflow/tfjs-node', library);
    for (const whole of ['/a b/inc', "/a b/it's.so.2", '-Wl,-rpath,/a b']) expect(args).toContain(whole);
    expect(args.at(-1)).toBe(join('/x y', 'tfjs_binding.node'));
  });

  test('a program that fails tells its errors, one that is not there that', async () => {
    const script = 'console.error("lines\\nfatal error: no such header\\nmore"); process.exit(3)';
    await expect(runCommand(process.execPath, ['-e', script])).rejects.toThrow(
      /exit code 3\): fatal error: no such header/,
    );
    await expect(runCommand('gsva-no-such-program', [])).rejects.toMatchObject({ isFound: false });
    await expect(runCommand(process.execPath, ['-e', 'console.log(process.argv[1])', '$HOME; a b'])).resolves.toBe(
      '$HOME; a b\n',
    );
  });
});
