/** The process's side of watching a job for dead and hung ranks: see watch-thread.ts. */
import { randomBytes } from 'node:crypto';
import { hostname, networkInterfaces } from 'node:os';
import { Worker } from 'node:worker_threads';
import { UserError } from '../../errors.js';
import { SHARED, SHARED_LENGTH } from './watch-judge.js';
import type { ProcessMessage, ServerAddress, ThreadMessage, WatchSettings } from './watch-judge.js';

/** How often the event loop shows that it turns, during work that has no other sign of progress. */
const TURN_MS = 500;

export interface WatchOptions {
  readonly rank: number;
  readonly size: number;
  /** A rank without a sign of life or progress for this long counts as hung. */
  readonly timeoutSeconds: number;
  /** Collective: the texts of all ranks, by rank. */
  readonly textsOf: (text: string) => Promise<string[]>;
}

export class Watch {
  private readonly shared = new Int32Array(new SharedArrayBuffer(4 * SHARED_LENGTH));
  private readonly fault: Promise<never>;
  private rejectFault: (error: Error) => void = () => undefined;
  private worker: Worker | null = null;

  private constructor(private readonly options: WatchOptions) {
    this.fault = new Promise((_, reject) => {
      this.rejectFault = reject;
    });
    this.fault.catch(() => undefined);
  }

  /** Collective. @throws UserError when rank 0 cannot be reached */
  static async start(options: WatchOptions): Promise<Watch> {
    const watch = new Watch(options);
    const { rank, textsOf } = options;
    const isLocal = new Set(await textsOf(hostname())).size === 1;
    let own = '';
    if (rank === 0) {
      const token = randomBytes(16).toString('hex');
      const listening = await watch.startThread({ token, server: null, isLocal }, 'listening');
      const hosts = isLocal ? ['127.0.0.1'] : [hostname(), ...ownAddresses()];
      const port = listening.kind === 'listening' ? listening.port : 0;
      const server: ServerAddress = { name: hostname(), hosts, port };
      own = JSON.stringify({ token, server });
    }
    const [first = ''] = await textsOf(own);
    if (rank > 0) await watch.connect(first);
    // Ranks that are not connected yet would go unwatched.
    await textsOf('');
    return watch;
  }

  /** Waits for an exchange; what happens to the job meanwhile ends the waiting. */
  async exchange<T>(work: () => Promise<T>): Promise<T> {
    await Promise.race([this.fault, Promise.resolve()]);
    this.step();
    Atomics.store(this.shared, SHARED.isWaiting, 1);
    try {
      return await Promise.race([work(), this.fault]);
    } finally {
      Atomics.store(this.shared, SHARED.isWaiting, 0);
      this.step();
    }
  }

  progress(update: number): void {
    Atomics.store(this.shared, SHARED.update, update);
    this.step();
  }

  /** As long as the event loop turns, the work counts as getting on. */
  async duringLongWork<T>(work: () => Promise<T>): Promise<T> {
    const timer = setInterval(() => {
      this.step();
    }, TURN_MS);
    try {
      return await work();
    } finally {
      clearInterval(timer);
    }
  }

  /** Tells the others why this rank ends. */
  failed(message: string): void {
    this.worker?.postMessage({ kind: 'failed', message } satisfies ProcessMessage);
  }

  async close(): Promise<void> {
    const { worker } = this;
    if (worker === null) return;
    const closed = new Promise((resolve) => worker.once('exit', resolve));
    worker.postMessage({ kind: 'close' } satisfies ProcessMessage);
    await closed;
  }

  private step(): void {
    Atomics.add(this.shared, SHARED.progress, 1);
  }

  private async connect(text: string): Promise<void> {
    const { token, server } = JSON.parse(text) as { token: string; server: ServerAddress };
    const answer = await this.startThread({ token, server, isLocal: false }, 'ready');
    if (answer.kind !== 'unreachable') return;
    throw new UserError(
      `Rank ${this.options.rank} on ${hostname()} cannot reach rank 0 to watch the job: ${answer.reason}. The machines ` +
        'of a job must reach each other by TCP.',
    );
  }

  /** Starts the thread and waits for a message of this kind, or for failure. */
  private startThread(
    settings: Pick<WatchSettings, 'token' | 'server' | 'isLocal'>,
    awaited: ThreadMessage['kind'],
  ): Promise<ThreadMessage> {
    const { rank, size, timeoutSeconds } = this.options;
    const workerData: WatchSettings = {
      ...{ rank, size, timeoutSeconds, host: hostname(), pid: process.pid, shared: this.shared.buffer },
      ...settings,
    };
    const worker = new Worker(new URL('./watch-thread.js', import.meta.url), { workerData, name: 'watch' });
    this.worker = worker;
    return new Promise((resolve, reject) => {
      worker.on('error', reject);
      worker.on('message', (message: ThreadMessage) => {
        if (message.kind === awaited || message.kind === 'unreachable') resolve(message);
        if (message.kind !== 'fault' || !message.speaks) return;
        Atomics.store(this.shared, SHARED.isFaultTaken, 1);
        this.rejectFault(new UserError(`The job ends: ${message.fault.message}. ${WHAT_TO_DO}`));
      });
    });
  }
}

const WHAT_TO_DO =
  'Start the same command again with --resume to go on from the last checkpoint; the number of ranks may be another.';

/** Addresses under which other machines may reach this one. */
function ownAddresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.filter(({ internal, family }) => !internal && family === 'IPv4').map(({ address }) => address);
}
