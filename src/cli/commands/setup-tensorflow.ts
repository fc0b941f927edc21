/** `gsva setup tensorflow`: installs the engine tensorflow, or removes it. */
import { flag, option } from '../options/option.js';
import { TEXT, requireFile, requireFolder } from '../options/values.js';
import { existsSync } from 'node:fs';
import { findInstallation, folderToInstallIn, installationFolders } from '../../engine/tensorflow-installation.js';
import { UsageError, UserError } from '../../errors.js';
import { askEngine } from '../../setup/engine-answer.js';
import { CommandError, runCommand } from '../../setup/run-command.js';
import { type SetupRequest, removeTensorflow, setupTensorflow } from '../../setup/tensorflow-setup.js';
import { packagePath } from '../../program.js';
import { duration } from '../../workflows/watch.js';
import { type CommandContext, defineCommand } from '../command.js';

export const command = defineCommand({
  options: {
    gpu: flag('With CUDA (about 6 GB); without: for the CPU (0.9 GB)'),
    wheel: option('A wheel of TensorFlow that is there already, instead of downloading one', TEXT),
    lib: option("A folder with TensorFlow's libraries and headers, used where it is", TEXT),
    remove: flag('Remove what was set up'),
  },
  examples: {
    'gsva setup tensorflow': 'for the CPU; into .gsva/tensorflow, or where GSVA_TENSORFLOW says',
    'gsva setup tensorflow --gpu': 'with CUDA, for NVIDIA GPUs',
    'gsva setup tensorflow --lib ~/venv/lib/python3.12/site-packages/tensorflow': 'with a TensorFlow that is there',
    'gsva setup tensorflow --remove': 'undoes it',
  },
  async run(args, context) {
    const { gpu, wheel, lib, remove } = args;
    if (wheel !== undefined && lib !== undefined) throw new UsageError('--wheel and --lib exclude each other');
    if (remove && (gpu || wheel !== undefined || lib !== undefined)) throw new UsageError('--remove stands alone');
    if (wheel !== undefined) requireFile('--wheel', wheel);
    if (lib !== undefined) requireFolder('--lib', lib);
    return remove ? removeEngine(context) : setUpEngine({ gpu, wheel: wheel ?? null, lib: lib ?? null }, context);
  },
});

async function setUpEngine(request: Omit<SetupRequest, 'folder'>, context: CommandContext): Promise<number> {
  const { output, signal } = context;
  const folder = folderToInstallIn();
  const tools = {
    run: runCommand,
    platform: process.platform,
    arch: process.arch,
    signal,
    note: context.onNote,
    check: (candidate: string) => checkEngine(candidate, context),
  };
  const { installation, wasThere, steps } = await setupTensorflow({ ...request, folder }, tools);
  for (const { step, result, seconds } of steps) output.line(`${step}: ${result} (${duration(seconds)})`);
  output.line(
    `The engine tensorflow ${wasThere ? 'was set up already' : 'is set up'} in ${installation.folder}. ` +
      'From now on auto takes it where there is no faster graphics card; --engine or GSVA_ENGINE chooses another.',
  );
  output.json({ ...installation, wasThere, steps });
  return 0;
}

function removeEngine({ output }: CommandContext): number {
  const folder =
    installationFolders().find((candidate) => findInstallation([candidate]) !== null) ?? folderToInstallIn();
  const removed = removeTensorflow(folder);
  output.line(removed ? `The engine tensorflow was removed: ${folder}` : 'The engine tensorflow was not set up.');
  output.json({ folder, removed });
  return 0;
}

/** Tries what lies in `folder` in another process; with the recordings of the sources at hand, verifies with them. */
async function checkEngine(folder: string, context: CommandContext): Promise<string> {
  // GSVA_DEVICE left out: a GPU that is not here need not keep the engine from being set up.
  const options = { env: { GSVA_TENSORFLOW: folder, GSVA_DEVICE: '' }, signal: context.signal };
  const program = packagePath('dist', 'setup', 'check-engine.js');
  const answer = await askEngine({ engine: 'tensorflow' }, program, runCommand, options);
  if (answer.outcome !== 'works') throw new UserError(answer.why);
  const { info, gigaflops } = answer;
  if (info.notice !== null) context.onNote(info.notice);
  const found = `${info.blas ?? 'TensorFlow'} on ${info.device}, ${gigaflops.toFixed(0)} GFLOP/s`;
  const recordings = packagePath('test', 'fixtures');
  if (!existsSync(recordings)) return found;
  const items = await verify(recordings, options);
  return `${found}; verify: all ${items} items passed`;
}

/** `gsva verify` on the new engine. @returns the number of items. @throws UserError naming those that failed. */
async function verify(folder: string, options: Parameters<typeof runCommand>[2]): Promise<number> {
  const args = [packagePath('bin', 'gsva.js'), 'verify', folder, '--engine', 'tensorflow', '--json'];
  let answer: string;
  try {
    answer = await runCommand(process.execPath, args, options);
  } catch (error) {
    if (!(error instanceof CommandError) || error.stdout.trim() === '') throw error;
    answer = error.stdout;
  }
  const result = JSON.parse(answer) as VerifyAnswer;
  if (result.pass) return result.items;
  const failed = result.recordings.flatMap(({ items }) => items.filter(({ pass }) => !pass).map(({ item }) => item));
  throw new UserError(
    `gsva verify: ${result.failed} of ${result.items} items failed: ${failed.slice(0, 5).join(', ')}`,
  );
}

/** The part of `gsva verify --json` that is read here. */
interface VerifyAnswer {
  readonly pass: boolean;
  readonly items: number;
  readonly failed: number;
  readonly recordings: readonly { readonly items: readonly { readonly item: string; readonly pass: boolean }[] }[];
}
