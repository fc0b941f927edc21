/** The work behind `gsva setup tensorflow`: where to, trying what was built, and saying what was done. */
import { existsSync } from 'node:fs';
import { findInstallation, folderToInstallIn, installationFolders } from '../engine/tensorflow-installation.js';
import { UserError } from '../errors.js';
import { askEngine } from '../setup/engine-answer.js';
import { CommandError, runCommand } from '../setup/run-command.js';
import { type SetupRequest, removeTensorflow, setupTensorflow } from '../setup/tensorflow-setup.js';
import { packagePath } from '../program.js';
import { duration } from './progress.js';
import type { VerbContext } from './verb.js';

/** @returns the exit code */
export async function setUpEngine(request: Omit<SetupRequest, 'folder'>, context: VerbContext): Promise<number> {
  const { output, signal } = context;
  const folder = folderToInstallIn();
  const tools = {
    run: runCommand,
    platform: process.platform,
    arch: process.arch,
    signal,
    note: (line: string) => {
      context.note(line);
    },
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

/** @returns the exit code */
export function removeEngine({ output }: VerbContext): number {
  const folder =
    installationFolders().find((candidate) => findInstallation([candidate]) !== null) ?? folderToInstallIn();
  const removed = removeTensorflow(folder);
  output.line(removed ? `The engine tensorflow was removed: ${folder}` : 'The engine tensorflow was not set up.');
  output.json({ folder, removed });
  return 0;
}

/** Tries what lies in `folder` in another process; with the recordings of the sources at hand, verifies with them. */
async function checkEngine(folder: string, context: VerbContext): Promise<string> {
  // GSVA_DEVICE left out: a GPU that is not here need not keep the engine from being set up.
  const options = { env: { GSVA_TENSORFLOW: folder, GSVA_DEVICE: '' }, signal: context.signal };
  const program = packagePath('dist', 'setup', 'check-engine.js');
  const answer = await askEngine({ engine: 'tensorflow' }, program, runCommand, options);
  if (answer.outcome !== 'works') throw new UserError(answer.why);
  const { info, gigaflops } = answer;
  if (info.notice !== null) context.note(info.notice);
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
