/** `gsva setup tensorflow`: installs the engine tensorflow, or removes it. */
import { existsSync } from 'node:fs';
import { findInstallation, folderToInstallIn, installationFolders } from '../../engine/tensorflow-installation.js';
import { UsageError, UserError } from '../../errors.js';
import { packagePath } from '../../program.js';
import { CommandError, runCommand } from '../../setup/run-command.js';
import { removeTensorflow, type SetupRequest, setupTensorflow } from '../../setup/tensorflow-setup.js';
import { duration } from '../../workflows/watch.js';
import { type CommandContext, defineCommand } from '../command.js';
import { flag, option } from '../options/option.js';
import { requireFile, requireFolder, TEXT } from '../options/values.js';
import { runGsva, tryEngine } from '../own-process.js';
import type { verifyJson } from './verify.js';

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
  const { output, signal, onNote } = context;
  const { platform, arch } = process;
  const check = (candidate: string): Promise<string> => checkEngine(candidate, context);
  const tools = { run: runCommand, platform, arch, signal, note: onNote, check };
  const { installation, wasThere, steps } = await setupTensorflow({ ...request, folder: folderToInstallIn() }, tools);
  for (const { step, result, seconds } of steps) output.line(`${step}: ${result} (${duration(seconds)})`);
  output.line(
    `The engine tensorflow ${wasThere ? 'was set up already' : 'is set up'} in ${installation.folder}. ` +
      'From now on auto takes it where there is no faster graphics card; --engine or GSVA_ENGINE chooses another.',
  );
  output.json({ ...installation, wasThere, steps });
  return 0;
}

function removeEngine({ output }: CommandContext): number {
  const known = installationFolders().find((candidate) => findInstallation([candidate]) !== null);
  const folder = known ?? folderToInstallIn();
  const removed = removeTensorflow(folder);
  output.line(removed ? `The engine tensorflow was removed: ${folder}` : 'The engine tensorflow was not set up.');
  output.json({ folder, removed });
  return 0;
}

/**
 * Tries what lies in `folder` in another process; with the recordings of the sources at hand, verifies with them.
 * @throws UserError why it does not work, or naming the items that failed
 */
async function checkEngine(folder: string, context: CommandContext): Promise<string> {
  // GSVA_DEVICE left out: a GPU that is not here need not keep the engine from being set up.
  const options = { env: { GSVA_TENSORFLOW: folder, GSVA_DEVICE: '' }, signal: context.signal };
  const answer = await tryEngine({ engine: 'tensorflow' }, options);
  if (answer.outcome !== 'works') throw new UserError(answer.why);
  const { info, gigaflops } = answer;
  if (info.notice !== null) context.onNote(info.notice);
  const found = `${info.blas ?? 'TensorFlow'} on ${info.device}, ${gigaflops.toFixed(0)} GFLOP/s`;
  const recordings = packagePath('test', 'fixtures');
  if (!existsSync(recordings)) return found;
  const args = ['verify', recordings, '--engine', 'tensorflow', '--json'];
  const verified = await runGsva(args, options).catch((error: unknown) => {
    if (!(error instanceof CommandError) || error.stdout.trim() === '') throw error;
    return error.stdout;
  });
  const { pass, items, failed, recordings: all } = JSON.parse(verified) as ReturnType<typeof verifyJson>;
  if (pass) return `${found}; verify: all ${items} items passed`;
  const names = all.flatMap((recording) => recording.items.flatMap((each) => (each.pass ? [] : [each.item])));
  throw new UserError(`gsva verify: ${failed} of ${items} items failed: ${names.slice(0, 5).join(', ')}`);
}
