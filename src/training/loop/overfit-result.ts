/** Judgement of a training on a few samples: were they learned by heart? */
export interface OverfitResult {
  /** Mean loss of the last updates: of all samples at least once. */
  readonly loss: number;
  readonly bound: number;
  readonly isReached: boolean;
  /** Where it is not: observations and advice, line by line. */
  readonly advice: readonly string[];
}
