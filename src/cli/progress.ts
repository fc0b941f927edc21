/**
 * The terminal as a command sees it: results on stdout, notes and progress on stderr. Progress of long work is a bar on a
 * terminal, a plain line every ten seconds elsewhere (logs, CI).
 */
import { SingleBar } from 'cli-progress';
import pc from 'picocolors';
import { duration, type Progress } from '../workflows/watch.js';
import { type CliIo, type CommandContext, type ProgressStream, wantsColor } from './command.js';
import { Output } from './output.js';

const LOOK = {
  format: '{label} {bar} {percentage} % | {left} | {note}',
  barCompleteChar: '█',
  barIncompleteChar: '░',
  barsize: 30,
  hideCursor: true,
  clearOnComplete: false,
  // The commands handle Ctrl-C themselves; the bar must not end the process.
  gracefulExit: false,
  fps: 10,
};

/** Between two lines where no bar is drawn. */
const LINE_EVERY_SECONDS = 10;

/** Work of a known amount. `update` may be called at any rate; `stop` must be called, also when the work fails. */
export class ProgressBar {
  private readonly total: number;
  private readonly bar: SingleBar | null;
  private readonly now: () => number;
  private readonly startedAt: number;
  private lastLineAt: number;
  private done = 0;
  private note = '';
  private isStopped = false;

  /**
   * @param label the work, e.g. 'train' @param total amount of work in any unit, above 0
   * @param options `now`: milliseconds that only grow; for tests
   */
  constructor(
    private readonly stream: ProgressStream,
    private readonly label: string,
    total: number,
    { drawBar, now = () => performance.now() }: { readonly drawBar: boolean; readonly now?: () => number },
  ) {
    this.total = Math.max(total, 1);
    this.now = now;
    this.startedAt = now();
    this.lastLineAt = this.startedAt;
    this.bar = drawBar ? new SingleBar({ stream, ...LOOK }) : null;
    this.bar?.start(this.total, 0, { label, note: '', left: '' });
  }

  /** @param done amount done so far, 0 … total @param note shown behind the bar, e.g. 'loss 0.41' */
  update(done: number, note?: string): void {
    if (this.isStopped) return;
    this.done = Math.min(done, this.total);
    if (note !== undefined) this.note = note;
    this.bar?.update(this.done, { note: this.note, left: this.timeLeft() });
    if (this.bar !== null || this.secondsSince(this.lastLineAt) < LINE_EVERY_SECONDS) return;
    this.lastLineAt = this.now();
    this.writeLine(this.timeLeft());
  }

  /** Ends the bar where it stands; harmless when called again. */
  stop(): void {
    if (this.isStopped) return;
    this.isStopped = true;
    this.bar?.stop();
    if (this.bar === null) this.writeLine(`${duration(this.secondsSince(this.startedAt))} taken`);
  }

  private writeLine(time: string): void {
    const percent = Math.floor((100 * this.done) / this.total);
    const amount = (value: number): string => (Number.isInteger(value) ? String(value) : value.toFixed(1));
    const parts = [`${this.label}: ${percent} % (${amount(this.done)}/${amount(this.total)})`, time, this.note];
    this.stream.write(`${parts.filter((part) => part !== '').join(', ')}\n`);
  }

  /** Remaining time, extrapolated from the whole of the work so far. */
  private timeLeft(): string {
    if (this.done <= 0) return '';
    const seconds = (this.secondsSince(this.startedAt) * (this.total - this.done)) / this.done;
    return `${duration(seconds)} left`;
  }

  private secondsSince(time: number): number {
    return (this.now() - time) / 1000;
  }
}

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
