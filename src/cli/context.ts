/** The terminal as a command sees it: results on stdout, notes and progress on stderr. */
import pc from 'picocolors';
import type { Progress } from '../workflows/watch.js';
import { type CliIo, type CommandContext, wantsColor } from './command.js';
import { Output } from './output.js';
import { ProgressBar } from './progress.js';

export function openContext({ stdin, stderr, stdout, env, signal }: CliIo, isJson: boolean) {
  let bar: ProgressBar | null = null;
  let last: Progress | null = null;
  const close = (): void => {
    bar?.stop();
    bar = null;
    last = null;
  };
  const context: CommandContext = {
    // A bar would run into the results: it ends where they begin.
    output: new Output(stdout, isJson, pc.createColors(wantsColor(stdout, env)), close),
    input: { stream: stdin, echo: stdin.isTTY === true && stderr.isTTY === true ? stderr : null },
    signal,
    onNote: (line) => {
      stderr.write(`${line}\n`);
    },
    onProgress: (progress) => {
      const { label, done, total, note } = progress;
      if (last?.label !== label || last.total !== total || done < last.done) close();
      bar ??= new ProgressBar(stderr, label, total, { drawBar: wantsColor(stderr, env) });
      bar.update(done, note);
      last = progress;
    },
  };
  return { context, close };
}
