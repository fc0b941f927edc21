/**
 * From a request to facts and encoder inputs, by threads or in this one. Results are plain data, to be transferred. Jobs
 * go to the least busy thread at once, so that none waits for a busy main thread.
 */
import { availableParallelism } from 'node:os';
import { type MessagePort, Worker } from 'node:worker_threads';
import { messageOf, UserError } from '../../errors.js';
import { Random } from '../../random.js';
import type { BinaryMask, PreparedImage } from '../../types.js';
import type { DatasetKind, Facts, MakeSample, RequestOf, SampleOptions, TrainingSample } from '../facts.js';
import { type Pictures, prepareImage, textEncoders } from '../image/prepare-image.js';
import { makeReasonSample } from '../reason/reason-seg.js';
import { makeReferSample } from '../refer/refer-dataset.js';
import { makeSemSegSample } from '../sem-seg/sem-seg-sample.js';
import { makeVqaSample } from '../vqa/llava-instruct.js';

/** How samples are made, by kind. A maker is only ever given requests of its own kind. */
export type SampleMakers = Readonly<Partial<Record<DatasetKind, MakeSample<never>>>>;

export const SAMPLE_MAKERS: SampleMakers = {
  sem_seg: makeSemSegSample,
  refer_seg: makeReferSample,
  vqa: makeVqaSample,
  reason_seg: makeReasonSample,
};

export function makeSample(
  request: RequestOf<DatasetKind>,
  random: Random,
  options: SampleOptions,
  makers: SampleMakers = SAMPLE_MAKERS,
): Promise<TrainingSample | null> {
  const make = makers[request.kind];
  if (make === undefined) throw new Error(`makeSample: nothing makes samples of the kind ${request.kind}`);
  return make(request as never, random, options);
}

/** Settings shared by all jobs of a worker. */
export interface LoadSettings {
  readonly sample: SampleOptions;
  readonly pictures: Pictures;
  /** Whether absent targets are answered with a mask, an empty one, which needs the encoders for masks too. */
  readonly emptyMasks?: boolean;
}

export interface LoadJob {
  readonly request: RequestOf<DatasetKind>;
  /** State of the generator of the draw. */
  readonly random: readonly number[];
  readonly acceptAllAbsent: boolean;
  /** Encoders whose features the caller has yet to compute; those for masks alone only count where masks are asked for. */
  readonly needs: ReadonlySet<string>;
}

/** `none`: another is to be drawn. `bad`: the files of this sample cannot be used. */
export type LoadResult =
  | {
      readonly kind: 'sample';
      /** null where no encoder needs it: then it is not even decoded. */
      readonly image: PreparedImage | null;
      readonly facts: Facts;
      /** State of the generator behind the draws of the facts. */
      readonly random: readonly number[];
    }
  | { readonly kind: 'none' }
  | { readonly kind: 'bad'; readonly message: string };

/** @throws what is not a UserError: a fault of the program */
export async function loadSample(job: LoadJob, settings: LoadSettings, makers?: SampleMakers): Promise<LoadResult> {
  const options = { ...settings.sample, acceptAllAbsent: job.acceptAllAbsent };
  try {
    const random = Random.fromState(job.random);
    const sample = await makeSample(job.request, random, options, makers);
    if (sample === null) return { kind: 'none' };
    const { targets } = sample.facts;
    const withMasks = targets.some(({ mask }) => settings.emptyMasks === true || mask !== null);
    const forText = textEncoders(settings.pictures);
    const needs = withMasks ? job.needs : new Set([...job.needs].filter((name) => forText.has(name)));
    const image = needs.size > 0 ? prepareImage(await sample.image(), settings.pictures, needs) : null;
    return { kind: 'sample', image, facts: inOneBuffer(sample.facts), random: random.state };
  } catch (error) {
    if (error instanceof UserError) return { kind: 'bad', message: messageOf(error) };
    throw error;
  }
}

/** The buffers of a result, to be moved to another thread instead of copied. */
export function buffersOf(result: LoadResult): ArrayBuffer[] {
  if (result.kind !== 'sample') return [];
  const { image, facts } = result;
  const mask = facts.targets.find((target) => target.mask !== null)?.mask?.data;
  const arrays = [...Object.values(image?.inputs ?? {}), ...(mask === undefined ? [] : [mask])];
  return arrays.map((array) => array.buffer as ArrayBuffer);
}

/** Masks as parts of one new buffer: some share theirs, others have one that belongs to a decoder and cannot be moved. */
function inOneBuffer(facts: Facts): Facts {
  const all = new Uint8Array(facts.targets.reduce((sum, { mask }) => sum + (mask?.data.length ?? 0), 0));
  let end = 0;
  const moved = (mask: BinaryMask): BinaryMask => {
    const data = all.subarray(end, (end += mask.data.length));
    data.set(mask.data);
    return { data, height: mask.height, width: mask.width };
  };
  return { ...facts, targets: facts.targets.map(({ mask, ...rest }) => ({ ...rest, mask: mask && moved(mask) })) };
}

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
