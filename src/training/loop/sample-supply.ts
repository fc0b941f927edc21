/** Where the samples of the updates come from. */

export interface SampleSupply<Sample> {
  /** Position behind the samples of all finished updates: where a resumed run goes on. */
  readonly position: number;

  /** The next sample of this process; the caller owns it. */
  next(): Promise<Sample>;

  /** All samples of an update have been taken; of several ranks, all call it. */
  endUpdate(): Promise<void>;

  /** Releases what is prepared and ends what loads the samples. */
  close(): Promise<void>;
}
