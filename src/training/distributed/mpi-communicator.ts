/** Communication by MPI: each call blocks a thread of libuv's pool while the event loop goes on; one call at a time. */
import { hostname } from 'node:os';
import type { Communicator } from './communicator.js';
import type { Launch } from './launch.js';
import { type Address, loadMpi, type MpiLibrary } from './mpi-library.js';
import { Watch } from './watch.js';

export interface MpiOptions {
  readonly family: Launch['family'];
  /** A rank without a sign of life or progress for this long counts as hung. */
  readonly timeoutSeconds: number;
}

export class MpiCommunicator implements Communicator {
  readonly hostName = hostname();
  sentBytes = 0;
  exchangeSeconds = 0;
  private watch: Watch | null = null;
  private last: Promise<unknown> = Promise.resolve();
  private isClosed = false;

  private constructor(private readonly mpi: MpiLibrary) {
    // However this process ends: the others must not wait for it.
    process.once('exit', (code) => {
      if (!this.isClosed) mpi.abort(code === 0 ? 1 : code);
    });
  }

  /** @throws UserError when MPI cannot be loaded, or ranks cannot reach each other */
  static async start({ family, timeoutSeconds }: MpiOptions): Promise<MpiCommunicator> {
    const communicator = new MpiCommunicator(await loadMpi(family));
    const { rank, size } = communicator;
    const textsOf = (text: string): Promise<string[]> => communicator.textsOf(text);
    communicator.watch = await Watch.start({ rank, size, timeoutSeconds, textsOf });
    return communicator;
  }

  get rank(): number {
    return this.mpi.rank;
  }

  get size(): number {
    return this.mpi.size;
  }

  /** "Open MPI v4.1.4". */
  get library(): string {
    return this.mpi.description;
  }

  allReduceSum(values: Float32Array): Promise<void> {
    return this.call(2 * values.byteLength, [values], ({ inPlace, float, sum, world }, address) =>
      this.mpi.allReduce(inPlace, address, values.length, float, sum, world),
    );
  }

  async reduceScatterSum(input: Float32Array, output: Float32Array): Promise<void> {
    this.requireBlocks(output, input);
    await this.call(input.byteLength, [input, output], ({ float, sum, world }, from, to) =>
      this.mpi.reduceScatterBlock(from, to, output.length, float, sum, world),
    );
  }

  async allGather(input: Float32Array, output: Float32Array): Promise<void> {
    this.requireBlocks(input, output);
    await this.call(output.byteLength, [input, output], ({ float, world }, from, to) =>
      this.mpi.allGather(from, input.length, float, to, input.length, float, world),
    );
  }

  broadcast(values: Float32Array): Promise<void> {
    return this.call(values.byteLength, [values], ({ float, world }, address) =>
      this.mpi.broadcast(address, values.length, float, 0, world),
    );
  }

  sumOf(values: readonly number[]): Promise<number[]> {
    return this.reduceNumbers(values, this.mpi.handles.sum);
  }

  maxOf(values: readonly number[]): Promise<number[]> {
    return this.reduceNumbers(values, this.mpi.handles.max);
  }

  async textsOf(text: string): Promise<string[]> {
    const bytes = Buffer.from(text, 'utf8');
    const [length = 0] = await this.maxOf([bytes.length]);
    if (length === 0) return Array.from({ length: this.size }, () => '');
    // One number per byte, the length in front: short texts, and MPI's numbers need no further type.
    const own = Float64Array.from([bytes.length, ...bytes, ...new Uint8Array(length - bytes.length)]);
    const all = new Float64Array(own.length * this.size);
    await this.call(all.byteLength, [own, all], ({ double, world }, from, to) =>
      this.mpi.allGather(from, own.length, double, to, own.length, double, world),
    );
    return Array.from({ length: this.size }, (_, rank) => {
      const [count = 0, ...codes] = all.subarray(rank * own.length, (rank + 1) * own.length);
      return Buffer.from(codes.slice(0, count)).toString('utf8');
    });
  }

  barrier(): Promise<void> {
    return this.call(0, [], ({ world }) => this.mpi.barrier(world));
  }

  progress(update: number): void {
    this.watch?.progress(update);
  }

  duringLongWork<T>(work: () => Promise<T>): Promise<T> {
    return this.watch === null ? work() : this.watch.duringLongWork(work);
  }

  /** Tells the others why this rank ends. */
  failed(message: string): void {
    this.watch?.failed(message);
  }

  async close(): Promise<void> {
    await this.barrier();
    await this.watch?.close();
    this.watch = null;
    await this.mpi.finalize();
    this.isClosed = true;
  }

  private async reduceNumbers(values: readonly number[], operation: number | bigint): Promise<number[]> {
    const array = Float64Array.from(values);
    await this.call(2 * array.byteLength, [array], ({ inPlace, double, world }, address) =>
      this.mpi.allReduce(inPlace, address, array.length, double, operation, world),
    );
    return [...array];
  }

  /**
   * @param bytes of the whole array, of which a ring sends all but one block
   * @param arrays whose addresses `work` gets; kept alive until the call is over
   */
  private call(
    bytes: number,
    arrays: readonly (Float32Array | Float64Array)[],
    work: (handles: MpiLibrary['handles'], from: Address, to: Address) => Promise<void>,
  ): Promise<void> {
    const [from = 0, to = 0] = arrays.map((array) => this.mpi.addressOf(array));
    const run = (): Promise<void> => work(this.mpi.handles, from, to);
    const next = this.last.then(async () => {
      const began = performance.now();
      const { watch } = this;
      await (watch === null ? run() : watch.exchange(run));
      this.exchangeSeconds += (performance.now() - began) / 1000;
      this.sentBytes += arrays.length === 0 ? 0 : (bytes * (this.size - 1)) / this.size;
    });
    this.last = next.catch(() => undefined);
    return next;
  }

  private requireBlocks(block: Float32Array, whole: Float32Array): void {
    if (whole.length === block.length * this.size) return;
    throw new Error(`${this.size} blocks of ${block.length} numbers were asked for in an array of ${whole.length}`);
  }
}
