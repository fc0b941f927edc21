/** Writes files in a thread of its own, so that no other thread waits for the disk. */
import { Worker } from 'node:worker_threads';
import { UserError } from '../../errors.js';
import type { WriteJob } from './pending-file.js';
import { WRITE_THREAD_FILE } from './write-thread-file.js';
import type { WriteReply } from './write-thread.js';

/** Smaller pieces are copied: their memory may be shared with others'. */
const SMALLEST_TO_HAND_OVER = 2 ** 16;

export class BackgroundWriter {
  private readonly worker: Worker;
  /** Pending jobs in order. */
  private readonly waiting: { readonly resolve: () => void; readonly reject: (error: Error) => void }[] = [];
  private failure: Error | null = null;

  /** Starts the thread; `close` ends it. */
  constructor() {
    this.worker = new Worker(WRITE_THREAD_FILE, { name: 'write' });
    this.worker.on('message', (reply: WriteReply) => {
      const done = this.waiting.shift();
      if (reply.kind === 'done') done?.resolve();
      else done?.reject(reply.isUserError ? new UserError(reply.message) : new Error(reply.message));
    });
    this.worker.on('error', (error) => {
      this.failAll(new Error(`The thread that writes files failed: ${error.stack ?? error.message}`));
    });
  }

  /** Runs a job after those before; the thread takes and frees its files' memory. @throws UserError naming the file */
  run(job: WriteJob): Promise<void> {
    if (this.failure !== null) return Promise.reject(this.failure);
    const pieces = job.files.flatMap((file) => file.pieces);
    const large = pieces.filter(
      ({ buffer, byteLength }) => byteLength >= SMALLEST_TO_HAND_OVER && byteLength === buffer.byteLength,
    );
    // A piece that is part of a larger one's memory goes with it.
    const buffers = [...new Set(large.map(({ buffer }) => buffer as ArrayBuffer))];
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject });
      this.worker.postMessage(job, buffers);
    });
  }

  /** Ends the thread; pending jobs fail. */
  async close(): Promise<void> {
    this.failAll(new Error('BackgroundWriter: closed'));
    await this.worker.terminate();
  }

  private failAll(error: Error): void {
    this.failure ??= error;
    for (const { reject } of this.waiting.splice(0)) reject(error);
  }
}
