/** Entry of the writing thread (see background-writer.ts): one job after another. */
import { parentPort } from 'node:worker_threads';
import { messageOf, UserError } from '../../errors.js';
import { runWriteJob, type WriteJob } from './pending-file.js';

export type WriteReply =
  { readonly kind: 'done' } | { readonly kind: 'failed'; readonly message: string; readonly isUserError: boolean };

const port = parentPort;
if (port === null) throw new Error('write-thread: it runs in a worker thread only');
port.on('message', (job: WriteJob) => {
  let reply: WriteReply = { kind: 'done' };
  try {
    runWriteJob(job);
  } catch (error) {
    reply = { kind: 'failed', message: messageOf(error), isUserError: error instanceof UserError };
  }
  port.postMessage(reply);
});
