/**
 * Thread of a rank that watches the job next to the training, which may compute for minutes without a turn of its event
 * loop. Every rank reports its progress to rank 0 by TCP, a few times in the time limit; rank 0 judges, and a closed
 * connection shows a dead process at once. The others watch rank 0 alone. A fault is reported to the process; where it
 * does not react, this thread prints what happened and kills it.
 */
import { writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { WatchClient } from './watch-client.js';
import { type Fault, type ProcessMessage, SHARED, type ThreadMessage, type WatchSettings } from './watch-judge.js';
import { WatchServer } from './watch-server.js';

/** How long the process has to say itself what happened, and to end. */
const TO_SPEAK_MS = 300;
const TO_END_MS = 8000;
const STDERR = 2;
const settings = workerData as WatchSettings;
const shared = new Int32Array(settings.shared);

function tell(message: ThreadMessage): void {
  parentPort?.postMessage(message);
}

function onFault(fault: Fault, speaks: boolean): void {
  tell({ kind: 'fault', fault, speaks });
  setTimeout(() => {
    const isTaken = Atomics.load(shared, SHARED.isFaultTaken) !== 0;
    if (speaks && !isTaken) writeSync(STDERR, `gsva train: the job ends: ${fault.message}\n`);
  }, TO_SPEAK_MS);
  // Not process.exit, which a thread's call would not do to the process, and nothing that the process could put off.
  setTimeout(() => process.kill(settings.pid, 'SIGKILL'), TO_END_MS);
}

const watch =
  settings.server === null ? new WatchServer(settings, tell, onFault) : new WatchClient(settings, tell, onFault);

parentPort?.on('message', (message: ProcessMessage) => {
  if (message.kind === 'failed') {
    watch.failed(message.message);
    return;
  }
  void watch.close().then(() => {
    tell({ kind: 'closed' });
    parentPort?.close();
  });
});
