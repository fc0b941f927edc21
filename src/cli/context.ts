/** The terminal as a command sees it: results on stdout, notes and progress on stderr. */
import pc from 'picocolors';
import type { Progress } from '../workflows/watch.js';
import { type CliIo, type CommandContext, wantsColor } from './command.js';
import { Output } from './output.js';
import { ProgressBar } from './progress.js';

export interface OpenContext {
  readonly context: CommandContext;
  readonly close: () => void;
}

export function openContext({ stdin, stderr, stdout, env, signal }: CliIo, isJson: boolean): OpenContext {
  const bars = new Bars((label, total) => {
    return ProgressBar.start(stderr, label, total, { drawBar: wantsColor(stderr, env) });
  });
  const close = (): void => {
    bars.end();
  };
  return {
    context: {
      // A bar would run into the results: it ends where they begin.
      output: new Output(stdout, isJson, pc.createColors(wantsColor(stdout, env)), close),
      input: { stream: stdin, echo: stdin.isTTY === true && stderr.isTTY === true ? stderr : null },
      signal,
      onNote: (line) => {
        stderr.write(`${line}\n`);
      },
      onProgress: (progress) => {
        bars.show(progress);
      },
    },
    close,
  };
}

class Bars {
  private bar: ProgressBar | null = null;
  private last: Progress | null = null;

  constructor(private readonly start: (label: string, total: number) => ProgressBar) {}

  show(progress: Progress): void {
    const { label, done, total, note } = progress;
    if (this.last?.label !== label || this.last.total !== total || done < this.last.done) this.end();
    this.bar ??= this.start(label, total);
    this.bar.update(done, note);
    this.last = progress;
  }

  end(): void {
    this.bar?.stop();
    this.bar = null;
    this.last = null;
  }
}
