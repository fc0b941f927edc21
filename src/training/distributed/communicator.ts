/**
 * Exchange between the ranks of a training. All ranks make the same collective calls in one order, with equal lengths.
 */

export interface Communicator {
  /** This process, from 0; rank 0 writes the log and the weights. */
  readonly rank: number;
  readonly size: number;
  readonly hostName: string;
  /** Bytes that this rank has sent so far, as a ring sends them: what other algorithms send is at least as much. */
  readonly sentBytes: number;
  /** Seconds that this rank has spent in exchanges so far, waiting for other ranks included. */
  readonly exchangeSeconds: number;
  /** Adds the arrays of all ranks up, in place. */
  allReduceSum(values: Float32Array): Promise<void>;
  /** Adds up; rank r gets block r of the sum. `input` has size · output.length numbers. */
  reduceScatterSum(input: Float32Array, output: Float32Array): Promise<void>;
  /** Puts the blocks of all ranks one behind the other, everywhere. `output` has size · input.length numbers. */
  allGather(input: Float32Array, output: Float32Array): Promise<void>;
  /** Everywhere what rank 0 has, in place. */
  broadcast(values: Float32Array): Promise<void>;
  /** Number by number, the sum and the largest over all ranks. */
  sumOf(values: readonly number[]): Promise<number[]>;
  maxOf(values: readonly number[]): Promise<number[]>;
  /** The texts of all ranks, by rank. They may differ in length. */
  textsOf(text: string): Promise<string[]>;
  barrier(): Promise<void>;
  /** Not collective: says that this rank goes on with its work, in this update, to those who watch for hung ranks. */
  progress(update: number): void;
  /** Not collective: runs work that may take longer than the time after which a rank counts as hung (validation). */
  duringLongWork<T>(work: () => Promise<T>): Promise<T>;
  /** Ends the part in the job, after everything else; all ranks call it. */
  close(): Promise<void>;
}

/** A training in one process. */
export class SingleProcess implements Communicator {
  readonly rank = 0;
  readonly size = 1;
  readonly sentBytes = 0;
  readonly exchangeSeconds = 0;

  constructor(readonly hostName = 'this machine') {}

  /** The sum of one, everybody has it, everybody is here, nothing was opened. */
  readonly allReduceSum = nothing;
  readonly broadcast = nothing;
  readonly barrier = nothing;
  readonly close = nothing;
  readonly reduceScatterSum = copied;
  readonly allGather = copied;
  readonly sumOf = same;
  readonly maxOf = same;

  textsOf(text: string): Promise<string[]> {
    return Promise.resolve([text]);
  }

  progress(): void {
    // Nobody watches.
  }

  duringLongWork<T>(work: () => Promise<T>): Promise<T> {
    return work();
  }
}

const nothing = (): Promise<void> => Promise.resolve();
const same = (values: readonly number[]): Promise<number[]> => Promise.resolve([...values]);

function copied(input: Float32Array, output: Float32Array): Promise<void> {
  output.set(input);
  return Promise.resolve();
}
