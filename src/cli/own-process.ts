/** Parts of this program in processes of their own. */
import { packagePath } from '../program.js';
import { askEngine, type EngineAnswer } from '../setup/engine-answer.js';
import { type CommandOptions, runCommand } from '../setup/run-command.js';

/** @param program a file that Node runs @returns what it prints */
export function runNode(program: string, args: readonly string[], { env, signal, timeout }: CommandOptions) {
  return runCommand(process.execPath, [program, ...args], { env, signal, timeout });
}

/** @param args of the command line, such as ['verify', folder] */
export function runGsva(args: readonly string[], options: CommandOptions): Promise<string> {
  return runNode(packagePath('bin', 'gsva.js'), args, options);
}

/** Whether an engine works, tried where a crash of it does no harm. */
export function tryEngine(request: Parameters<typeof askEngine>[0], options: CommandOptions): Promise<EngineAnswer> {
  return askEngine(request, packagePath('dist', 'setup', 'check-engine.js'), runCommand, options);
}
