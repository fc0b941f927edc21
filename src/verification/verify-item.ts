/** One line of `gsva verify`: how far a part of this project is from the recorded reference. */
export interface VerifyItem {
  readonly item: string;
  /** Largest difference found; for exact things the number of mismatches. */
  readonly largestError: number;
  readonly tolerance: number;
  readonly pass: boolean;
  /** Where the first difference is, or what was compared. */
  readonly detail?: string;
}
