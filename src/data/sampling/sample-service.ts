/** A worker's side of loading: takes jobs one after the other, sends results back by number. */
import type { MessagePort } from 'node:worker_threads';
import { buffersOf, type LoadJob, type LoadResult, loadSample, type LoadSettings } from './load-sample.js';
import type { SampleMakers } from './make-sample.js';

export interface JobMessage {
  readonly id: number;
  readonly job: LoadJob;
}

/** `fault`: the program is at fault, not the files; its stack. */
export type ResultMessage =
  { readonly id: number; readonly result: LoadResult } | { readonly id: number; readonly fault: string };

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
