/** Threads that load samples. Jobs go to the least busy one at once, so that none waits for a busy main thread. */
import { availableParallelism } from 'node:os';
import { type MessagePort, Worker } from 'node:worker_threads';
import { UserError } from '../../errors.js';
import {
  buffersOf,
  type LoadJob,
  type LoadResult,
  loadSample,
  type LoadSettings,
  type SampleMakers,
} from './load-sample.js';

interface JobMessage {
  readonly id: number;
  readonly job: LoadJob;
}

/** `fault`: the program is at fault, not the files; its stack. */
type ResultMessage =
  { readonly id: number; readonly result: LoadResult } | { readonly id: number; readonly fault: string };

/** One processor is left to the training itself. */
export function defaultWorkers(): number {
  return Math.max(1, availableParallelism() - 1);
}

interface Pending {
  readonly worker: Worker;
  readonly job: LoadJob;
  readonly resolve: (result: LoadResult) => void;
  readonly reject: (error: Error) => void;
}

export class SampleWorkers {
  private readonly jobs = new Map<Worker, number>();
  private readonly pending = new Map<number, Pending>();
  private nextId = 0;
  private ended: Error | null = null;

  /** @param count threads, at least 1 @param file run by them; calls serveSamples */
  constructor(count: number, settings: LoadSettings, file: URL) {
    for (let i = 0; i < count; i++) this.start(settings, file);
  }

  /** @throws Error naming the image at which a thread failed; then all further jobs fail as well */
  load(job: LoadJob): Promise<LoadResult> {
    if (this.ended !== null) return Promise.reject(this.ended);
    const [worker] = [...this.jobs].reduce((least, entry) => (entry[1] < least[1] ? entry : least));
    this.jobs.set(worker, (this.jobs.get(worker) ?? 0) + 1);
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      this.pending.set(id, { worker, job, resolve, reject });
      worker.postMessage({ id, job } satisfies JobMessage);
    });
  }

  /** Ends the threads; what they had not finished is rejected. */
  async close(): Promise<void> {
    this.endWith(new Error('The threads that load samples are closed'));
    await Promise.all([...this.jobs.keys()].map((worker) => worker.terminate()));
  }

  private start(settings: LoadSettings, file: URL): void {
    const worker = new Worker(file, { workerData: settings, name: 'samples' });
    this.jobs.set(worker, 0);
    worker.on('message', (message: ResultMessage) => {
      this.finish(worker, message);
    });
    worker.on('messageerror', (error) => {
      this.endWith(this.failure(worker, error.message));
    });
    worker.on('error', (error: Error & { readonly code?: string }) => {
      const isMemory = error.code === 'ERR_WORKER_OUT_OF_MEMORY';
      this.endWith(isMemory ? this.outOfMemory(worker) : this.failure(worker, error.stack ?? error.message));
    });
    worker.on('exit', (code) => {
      this.endWith(this.failure(worker, `it ended with code ${code}`));
    });
  }

  private finish(worker: Worker, message: ResultMessage): void {
    const done = this.pending.get(message.id);
    if (done === undefined) return; // closed meanwhile
    if ('fault' in message) {
      this.endWith(this.failure(worker, message.fault));
      return;
    }
    this.pending.delete(message.id);
    this.jobs.set(worker, (this.jobs.get(worker) ?? 1) - 1);
    done.resolve(message.result);
  }

  private failure(worker: Worker, what: string): Error {
    return new Error(`A thread that loads samples failed at ${this.imageAt(worker)}: ${what}`);
  }

  private outOfMemory(worker: Worker): UserError {
    return new UserError(
      `Loading samples: a thread had no memory left at ${this.imageAt(worker)}. Use fewer threads (workers), prepare ` +
        'fewer samples ahead (prefetch), or give Node more memory (--max-old-space-size).',
    );
  }

  /** A thread works in order: it was at its oldest job. */
  private imageAt(worker: Worker): string {
    const oldest = [...this.pending.values()].find((pending) => pending.worker === worker);
    return oldest === undefined ? 'its start' : oldest.job.request.image;
  }

  private endWith(error: Error): void {
    if (this.ended !== null) return;
    this.ended = error;
    for (const { reject } of this.pending.values()) reject(error);
    this.pending.clear();
  }
}

/** A worker's side of loading: takes jobs one after the other, sends results back by number. */
export function serveSamples(port: MessagePort, settings: LoadSettings, makers?: SampleMakers): void {
  // One at a time: the jobs waiting behind it hold no decoded images.
  let last = Promise.resolve();
  port.on('message', ({ id, job }: JobMessage) => {
    last = last.then(async () => {
      try {
        const result = await loadSample(job, settings, makers);
        port.postMessage({ id, result } satisfies ResultMessage, buffersOf(result));
      } catch (error) {
        const fault = error instanceof Error ? (error.stack ?? error.message) : String(error);
        port.postMessage({ id, fault } satisfies ResultMessage);
      }
    });
  });
}
