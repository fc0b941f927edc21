/**
 * Bad samples of a run (missing image, empty polygon, …): reported once, counted, and too many of them stop the run.
 */
import { UserError } from '../../errors.js';
import { gsvaCommand } from '../../program.js';

export interface BadSample {
  readonly set: string;
  /** Image within the set. */
  readonly index: number;
  /** The fault, with the path of the file. */
  readonly message: string;
}

/** Samples after which the share is judged: of fewer, one bad image would be a large share. */
const JUDGED_FROM = 100;
/** This many in a row stop the run at once. */
const MOST_IN_A_ROW = 20;

export class BadSamples {
  private samples = 0;
  private bad = 0;
  private inARow = 0;
  private first: BadSample | null = null;
  private readonly reported = new Set<string>();

  /** @param maxShare of the samples that may be bad, 0 to 1 @param report called once per bad sample */
  constructor(
    private readonly maxShare: number,
    private readonly report: (bad: BadSample) => void,
  ) {
    if (maxShare >= 0 && maxShare <= 1) return;
    throw new UserError(`Loading samples: maxBadShare is ${maxShare}; expected a share from 0 to 1.`);
  }

  /** How many samples were seen, and how many of them were bad; one that is drawn again counts again. */
  get counts(): { readonly samples: number; readonly bad: number } {
    return { samples: this.samples, bad: this.bad };
  }

  addGood(): void {
    this.samples++;
    this.inARow = 0;
  }

  /** @throws UserError where there are too many now */
  addBad(sample: BadSample): void {
    this.samples++;
    this.bad++;
    this.inARow++;
    this.first ??= sample;
    const key = `${sample.index} ${sample.set}`;
    if (!this.reported.has(key)) {
      this.reported.add(key);
      this.report(sample);
    }
    if (this.inARow >= MOST_IN_A_ROW) throw this.tooMany(`the last ${this.inARow} samples were all bad`);
    if (this.samples >= JUDGED_FROM && this.bad > this.maxShare * this.samples) {
      const share = `more than the ${+(100 * this.maxShare).toPrecision(3)} % that are accepted`;
      throw this.tooMany(`${this.bad} of ${this.samples} samples were bad, ${share}`);
    }
  }

  private tooMany(what: string): UserError {
    const { set, message } = this.first as BadSample;
    return new UserError(
      `Loading samples: ${what}. The first was of the set "${set}": ${message} ` +
        `Restore the files (\`${gsvaCommand('data check FOLDER')}\` lists what is missing), leave the set out, or raise maxBadShare.`,
    );
  }
}
