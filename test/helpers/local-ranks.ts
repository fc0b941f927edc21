/** Ranks inside one process, for tests: each collective call waits until all have made it. */
import type { Communicator } from '../../src/training/distributed/communicator.js';

/** Brings together what the ranks give, call by call. */
class Meeting {
  private readonly given: unknown[] = [];
  private arrived = 0;
  private open!: (all: readonly unknown[]) => void;
  private readonly all = new Promise<readonly unknown[]>((resolve) => {
    this.open = resolve;
  });

  constructor(private readonly size: number) {}

  meet<T>(rank: number, value: T): Promise<readonly T[]> {
    this.given[rank] = value;
    if (++this.arrived === this.size) this.open(this.given);
    return this.all as Promise<readonly T[]>;
  }
}

class LocalRank implements Communicator {
  readonly hostName = 'here';
  sentBytes = 0;
  exchangeSeconds = 0;
  private calls = 0;

  constructor(
    readonly rank: number,
    readonly size: number,
    private readonly meetings: Meeting[],
  ) {}

  async allReduceSum(values: Float32Array): Promise<void> {
    const all = await this.meet(values.slice());
    values.forEach((_, index) => (values[index] = sum(all.map((other) => other[index] ?? NaN))));
  }

  async reduceScatterSum(input: Float32Array, output: Float32Array): Promise<void> {
    const all = await this.meet(input.slice());
    const first = this.rank * output.length;
    output.forEach((_, index) => (output[index] = sum(all.map((other) => other[first + index] ?? NaN))));
    this.sentBytes += input.byteLength;
  }

  async allGather(input: Float32Array, output: Float32Array): Promise<void> {
    const all = await this.meet(input.slice());
    all.forEach((block, rank) => {
      output.set(block, rank * input.length);
    });
  }

  async broadcast(values: Float32Array): Promise<void> {
    values.set((await this.meet(values.slice()))[0] ?? []);
  }

  async sumOf(values: readonly number[]): Promise<number[]> {
    const all = await this.meet(values);
    return values.map((_, index) => sum(all.map((other) => other[index] ?? NaN)));
  }

  async maxOf(values: readonly number[]): Promise<number[]> {
    const all = await this.meet(values);
    return values.map((_, index) => Math.max(...all.map((other) => other[index] ?? NaN)));
  }

  async textsOf(text: string): Promise<string[]> {
    return [...(await this.meet(text))];
  }

  async barrier(): Promise<void> {
    await this.meet(null);
  }

  progress(): void {
    // Nobody watches.
  }

  duringLongWork<T>(work: () => Promise<T>): Promise<T> {
    return work();
  }

  async close(): Promise<void> {
    // Nothing was opened.
  }

  private meet<T>(value: T): Promise<readonly T[]> {
    const meeting = (this.meetings[this.calls] ??= new Meeting(this.size));
    this.calls++;
    return meeting.meet(this.rank, value);
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** Ranks 0 … size - 1. */
export function localRanks(size: number): Communicator[] {
  const meetings: Meeting[] = [];
  return Array.from({ length: size }, (_, rank) => new LocalRank(rank, size, meetings));
}
