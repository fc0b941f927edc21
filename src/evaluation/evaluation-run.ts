/** State of an evaluation: everything measured so far. */
import { UserError } from '../errors.js';
import type { Benchmark } from './benchmarks/benchmarks.js';
import type { Conversation, ForcedReply, FreeReply } from './conversations.js';
import type { EvaluatedTarget } from '../data/refer/refer-dataset.js';
import { makeImageRecord } from './records/image-record.js';
import type { Entry, Loaded } from './load-images.js';
import type { GresProtocol } from './metrics/gres-score.js';
import { addFaults, addRefusals, NO_FAULTS, NO_REFUSALS, ResultSums } from './records/record-figures.js';
import type { ImageRecord, RecordedFaults, RecordedResult } from './records/record-types.js';
import type { Refusal, RefusalCounts, Result } from './records/record-types.js';
import type { ReportSample } from './report/report-data.js';
import { scoreExpression } from './score.js';

export interface RunOptions {
  readonly protocols: readonly GresProtocol[];
  /** How many images, evenly spread, are kept with their answers for a report. Default 0. */
  readonly samples?: number;
  /** Protocol of the samples' answers; default the first. */
  readonly sampleProtocol?: GresProtocol;
  readonly onProgress?: (progress: { images: number; totalImages: number; results: readonly Result[] }) => void;
  /** Under 'strict', absent from this probability on; default: the most probable token decides, as published. */
  readonly rejectThreshold?: number | null;
  /** A mask of fewer pixels counts as absent; default 0. */
  readonly minimumPixels?: number;
  /** Called for each image that was computed, in order. */
  readonly onImage?: (image: ImageRecord) => void;
  /** Called for everything that is left out, as it is found. */
  readonly onRefusal?: (fileName: string, refusal: Refusal) => void;
}

export interface Evaluation {
  /** In the order of `protocols`. */
  readonly results: readonly RecordedResult[];
  readonly samples: readonly ReportSample[];
  /** Faults of all free answers; null where none were asked for. */
  readonly faults: RecordedFaults | null;
  readonly refused: RefusalCounts;
}

/** The answers to one question by the protocols asked for. */
export type Replies = Readonly<Partial<Record<GresProtocol, ForcedReply | FreeReply>>>;
type Answered = Conversation & { readonly replies: Replies };

export class EvaluationRun {
  private readonly sums: readonly ResultSums[];
  private readonly samples: ReportSample[] = [];
  private faults = NO_FAULTS;
  private refused = NO_REFUSALS;
  private images = 0;
  private imageBegan = performance.now();

  constructor(
    private readonly benchmark: Benchmark,
    private readonly options: RunOptions,
    private readonly totalImages: number,
  ) {
    this.sums = options.protocols.map((protocol) => new ResultSums(benchmark, protocol));
  }

  /** @throws UserError where the record is of other data */
  addEarlier(image: ImageRecord, here: Entry | undefined): void {
    const { protocols } = this.options;
    const recorded = image.records.slice(0, image.records.length / protocols.length);
    if (here?.entry.imageId !== image.imageId || !hasSameExpressions(image, recorded, here)) {
      throw new UserError(
        `Resuming: the recorded image ${image.image} is ${image.fileName} with ${recorded.length} expressions, which is ` +
          'not what the dataset has there. Use the data that the run was begun with.',
      );
    }
    for (const record of image.records) this.sumsOf(record.protocol).add(record);
    this.count(image.faults, image.refused);
  }

  /** Scores an image after all of its questions, and adds it. */
  add(loaded: Loaded, answered: readonly Answered[], refused: readonly Refusal[]): void {
    const { entry, place, targets } = loaded;
    const { protocols } = this.options;
    const scored = protocols.flatMap((protocol) =>
      answered.flatMap((each) => this.score(protocol, each, targets ?? [])),
    );
    for (const { protocol, score } of scored) this.sumsOf(protocol).add(score);
    if (this.isSample()) this.keepSample(loaded, answered);
    const free = answered.map(({ replies }): FreeReply | undefined => replies.generate);
    const allFaults = free.reduce((sum, reply) => addFaults(sum, reply?.faults ?? NO_FAULTS), NO_FAULTS);
    const faults = protocols.includes('generate') ? allFaults : null;
    const seconds = (performance.now() - this.imageBegan) / 1000;
    this.imageBegan = performance.now();
    if (this.options.onImage !== undefined) {
      const replies = protocols.flatMap((protocol) =>
        answered.map((each) => {
          const { question, answer } = replyOf(protocol, each.replies);
          return { protocol, question, answer };
        }),
      );
      const date = new Date().toISOString();
      const course = { image: place, seconds, date, replies, faults, refused };
      this.options.onImage(makeImageRecord(entry, course, targets, scored));
    }
    for (const refusal of refused) this.options.onRefusal?.(entry.fileName, refusal);
    this.count(faults, refused);
    const { images, totalImages } = this;
    // Results are added up for those who look at them alone.
    this.options.onProgress?.({ images, totalImages, results: this.sums.map((sums) => sums.result()) });
  }

  evaluation(): Evaluation {
    const { images, samples, refused } = this;
    const results = this.sums.map((sums) => ({ ...sums.result(), images }));
    const faults = this.options.protocols.includes('generate') ? this.faults : null;
    return { results, samples, faults, refused };
  }

  private sumsOf(protocol: GresProtocol): ResultSums {
    const sums = this.sums.find((each) => each.protocol === protocol);
    if (sums === undefined)
      throw new UserError(`Resuming: the records have results by ${protocol}, which is not asked for.`);
    return sums;
  }

  private score(protocol: GresProtocol, { indexes, replies }: Answered, targets: readonly EvaluatedTarget[]) {
    const { rejectThreshold = null, minimumPixels = 0 } = this.options;
    const reply = replyOf(protocol, replies);
    const { results } = reply;
    if (results.length !== indexes.length) {
      throw new Error(`evaluate: ${indexes.length} expressions were asked, ${results.length} answered`);
    }
    return indexes.map((index, i) => {
      const target = { target: targets[index] as EvaluatedTarget, index };
      const secondPassMask = 'masks' in reply ? reply.masks[i] : undefined;
      const answered = { result: results[i] as (typeof results)[number], secondPassMask };
      return scoreExpression(this.benchmark, protocol, { rejectThreshold, minimumPixels }, target, answered);
    });
  }

  private keepSample({ picture, targets }: Loaded, answered: readonly Answered[]): void {
    const protocol = this.options.sampleProtocol ?? this.options.protocols[0];
    if (picture === null || protocol === undefined) return;
    const said = answered.map((each) => replyOf(protocol, each.replies));
    this.samples.push({
      image: picture,
      question: said.map(({ question }) => question).join('\n'),
      answer: said.map(({ answer }) => answer).join('\n'),
      results: said.flatMap(({ results }) => results),
      targets: answered.flatMap(({ indexes }) => indexes.map((index) => targets[index] as EvaluatedTarget)),
    });
  }

  private count(faults: RecordedFaults | null, refused: readonly Refusal[]): void {
    this.images++;
    if (faults !== null) this.faults = addFaults(this.faults, faults);
    this.refused = addRefusals(this.refused, refused);
  }

  /** Whether the image that is being added is one of the `samples` evenly spread ones. */
  private isSample(): boolean {
    const wanted = Math.min(this.options.samples ?? 0, this.totalImages);
    return (
      Math.floor((this.images * wanted) / this.totalImages) <
      Math.floor(((this.images + 1) * wanted) / this.totalImages)
    );
  }
}

/** True, too, of an image that could not be opened: nothing can be compared. */
function hasSameExpressions(
  { refused }: ImageRecord,
  recorded: readonly { readonly index: number; readonly expression: string }[],
  { entry }: Entry,
): boolean {
  if (refused.some(({ index }) => index === null)) return true;
  const all = [...recorded, ...refused];
  return (
    all.length === entry.expressions.length &&
    all.every(({ index, expression }) => entry.expressions[index ?? -1]?.text === expression)
  );
}

function replyOf(protocol: GresProtocol, replies: Replies): ForcedReply | FreeReply {
  const reply = replies[protocol];
  if (reply === undefined) throw new Error(`evaluate: there is no reply for the protocol ${protocol}`);
  return reply;
}
