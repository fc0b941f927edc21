/**
 * Sample of each position of a run, drawn from the source until one is usable and loaded by worker threads or in this
 * one; it depends on the source alone. Order and look-ahead are the caller's (training/loop/sample-queue.ts).
 */
import { messageOf, UserError } from '../../errors.js';
import { gsvaCommand } from '../../program.js';
import { Random } from '../../random.js';
import type { PreparedImage } from '../../types.js';
import type { DatasetKind, Lesson, MakeLessons } from '../facts.js';
import { allEncoders } from '../image/prepare-image.js';
import {
  defaultWorkers,
  type LoadJob,
  type LoadResult,
  loadSample,
  type LoadSettings,
  type SampleMakers,
  SampleWorkers,
} from './load-sample.js';
import type { SampleDraw, SampleSource } from './sample-source.js';
import { SAMPLE_WORKER_FILE } from './sample-worker-file.js';

export interface SampleLoaderOptions extends LoadSettings {
  /** Words of the system that is trained. */
  readonly lessons: MakeLessons;
  /** Whether lessons leave anything to learn as tokens; where they do not, a mixture draws again. Default: they do. */
  readonly isUsable?: (lessons: readonly Lesson[]) => boolean;
  /** Threads that load; 0: in this thread. Default: one less than there are processors, at least 1. */
  readonly workers?: number;
  /** The run stops where more than this share of the samples is bad. Default: 0.01. */
  readonly maxBadShare?: number;
  /** Called once for each bad sample. */
  readonly onBadSample?: (bad: BadSample) => void;
  /** How samples are made in this thread (0 workers); default: SAMPLE_MAKERS. */
  readonly makers?: SampleMakers;
  /** File of the worker threads; default: sample-worker.js, with SAMPLE_MAKERS. */
  readonly workerFile?: URL;
}

export interface LoadedSample {
  /** How a person finds it: the image's path. */
  readonly name: string;
  /** Which image it is, the same for all draws of it. */
  readonly key: string;
  /** For the encoders that the caller named; null where none needs it. */
  readonly image: PreparedImage | null;
  /** At least one; each is learned from by itself. Masks are of the image's size. */
  readonly conversations: readonly Lesson[];
}

/** An image that is about to be loaded. */
export interface ImageToLoad {
  readonly key: string;
  readonly path: string;
  /** Kind of the data set: 'vqa' never asks for masks. */
  readonly kind: DatasetKind;
}

/** Encoders whose features of an image are not known yet. */
export type FindNeeds = (image: ImageToLoad) => Promise<ReadonlySet<string>>;

const STANDARD_BAD_SHARE = 0.01;
/** Draws of the same image without a present target before such a draw is accepted. */
const REDRAWS_OF_IMAGE = 10;
/** Attempts per position in a mixture. A set that fails this often is treated as empty. */
const MOST_DRAWS = 100;

export class SampleLoader {
  private readonly bad: BadSamples;
  private readonly workers: SampleWorkers | null;
  private failure: Error | null = null;

  /** Starts the threads; `close` ends them. */
  constructor(
    private readonly source: SampleSource,
    private readonly options: SampleLoaderOptions,
  ) {
    const { sample, pictures, emptyMasks = false, maxBadShare = STANDARD_BAD_SHARE } = options;
    const { workers = defaultWorkers(), workerFile = SAMPLE_WORKER_FILE } = options;
    if (!Number.isInteger(workers) || workers < 0) {
      throw new UserError(`Loading samples: workers is ${workers}; expected a whole number from 0 up.`);
    }
    this.bad = new BadSamples(maxBadShare, (bad) => options.onBadSample?.(bad));
    const settings = { sample, pictures, emptyMasks };
    this.workers = workers === 0 ? null : new SampleWorkers(workers, settings, workerFile);
  }

  /** Samples that were looked at so far, and how many of them were bad. */
  get counts(): { readonly samples: number; readonly bad: number } {
    const { samples, bad } = this.bad;
    return { samples, bad };
  }

  /**
   * Sample at a position; null for a bad image where the source keeps to one (whole epochs). Any error is final.
   * @throws UserError where too many samples are bad, or a set gives nothing to learn from
   */
  async load(position: number, findNeeds?: FindNeeds): Promise<LoadedSample | null> {
    for (let attempt = 0; ; attempt++) {
      if (this.failure !== null) throw this.failure;
      const draw = this.source.draw(position, attempt);
      try {
        const tried = await this.attempt(draw, attempt, findNeeds);
        if (tried !== 'again') return tried;
      } catch (error) {
        this.failure ??= error instanceof Error ? error : new Error(messageOf(error));
        throw this.failure;
      }
    }
  }

  /** Ends the threads; loads under way fail. */
  async close(): Promise<void> {
    this.failure ??= new Error('SampleLoader: closed');
    await this.workers?.close();
  }

  private async attempt(draw: SampleDraw, attempt: number, findNeeds: FindNeeds | undefined) {
    const { keepsImage } = this.source;
    const { set, index } = draw;
    const isLast = attempt >= (keepsImage ? REDRAWS_OF_IMAGE : MOST_DRAWS - 1);
    const key = `${index} ${set.name}`;
    const { name, result } = await this.result(draw, keepsImage && isLast, ({ image: path, kind }) => {
      return findNeeds?.({ key, path, kind }) ?? Promise.resolve(allEncoders(this.options.pictures));
    });
    if (result.kind === 'sample') {
      const conversations = this.options.lessons(result.facts, Random.fromState(result.random));
      if (keepsImage || (this.options.isUsable?.(conversations) ?? true)) {
        this.bad.addGood();
        return { name, key, image: result.image, conversations };
      }
    }
    if (result.kind === 'bad' || (keepsImage && isLast)) {
      const message = result.kind === 'bad' ? result.message : `${name} has nothing to learn from.`;
      this.bad.addBad({ set: set.name, index, message });
      if (keepsImage) return null;
    }
    if (isLast) {
      throw new UserError(
        `Loading samples: ${MOST_DRAWS} draws from the set "${set.name}" had nothing to learn from, the last of them ` +
          `${name}. Leave the set out, or check its annotations.`,
      );
    }
    return 'again';
  }

  private async result(
    { set, index, random }: SampleDraw,
    acceptAllAbsent: boolean,
    needsOf: (request: LoadJob['request']) => Promise<ReadonlySet<string>>,
  ): Promise<{ readonly name: string; readonly result: LoadResult }> {
    let request: LoadJob['request'];
    try {
      request = set.requestAt(index);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      return { name: `image ${index} of ${set.name}`, result: { kind: 'bad', message: error.message } };
    }
    const job = { request, random: random.state, acceptAllAbsent, needs: await needsOf(request) };
    const name = request.image;
    if (this.workers !== null) return { name, result: await this.workers.load(job) };
    return { name, result: await loadSample(job, this.options, this.options.makers) };
  }
}

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

/** Bad samples of a run (missing image, empty polygon, …): reported once, counted, and too many of them stop the run. */
class BadSamples {
  /** Samples seen, and how many of them were bad; one that is drawn again counts again. */
  samples = 0;
  bad = 0;
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
