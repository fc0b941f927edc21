/**
 * Generalized referring segmentation on a dataset (gRefCOCO; GSVA paper, tables 1–3): every image of a split, all its
 * expressions in one question, by any of the protocols of `GresMetric` in a single pass over the images.
 *
 * The model is not known here: whoever calls hands in a `GresResponder`.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ReferringImage } from '../data/refer/refer-dataset.js';
import { UserError } from '../errors.js';
import { readImage } from '../io/image-file.js';
import type { BinaryMask, ReferringTarget, RgbImage, SegmentResult } from '../types.js';
import { makeImageRecord, type ScoredExpression } from './image-record.js';
import { type Answer, GresMetric, type GresProtocol, type GresResult } from './metrics/gres-metric.js';
import { type ImageRecord, type Shard, WHOLE } from './record.js';
import type { ReportSample } from './report/report-data.js';

/** A question about an image that the responder has encoded. */
export interface GresQuestion<Image> {
  readonly image: Image;
  readonly expressions: readonly string[];
}

export interface GresReply {
  readonly question: string;
  readonly answer: string;
  /** One per expression, in order. */
  readonly results: readonly SegmentResult[];
}

/** What answers: a model, as `Predictor` wraps it. `Image` is whatever it makes of a picture. */
export interface GresResponder<Image> {
  /** Called once per image. */
  encode(images: readonly RgbImage[]): Promise<readonly Image[]>;
  /** Teacher forcing with the true answers; `masks` also for what was rejected. One reply per question. */
  force(
    questions: readonly (GresQuestion<Image> & { readonly answers: readonly ('seg' | 'rej')[] })[],
  ): Promise<readonly (GresReply & { readonly masks: readonly BinaryMask[] })[]>;
  /** A freely written answer. */
  generate(
    question: GresQuestion<Image>,
    options: { readonly signal?: AbortSignal },
  ): Promise<GresReply & { readonly faults?: AnswerFaults }>;
}

/** Where free answers went past their questions, in number of [SEG] and [REJ] tokens or expressions. */
export interface AnswerFaults {
  readonly unknown: number;
  readonly repeated: number;
  readonly unanswered: number;
}

/** What is needed of a dataset: `GRefCoco` has it. */
export interface GresDataset {
  readonly images: readonly ReferringImage[];
  targets(image: ReferringImage): readonly ReferringTarget[];
}

export interface GresProgress {
  readonly images: number;
  readonly totalImages: number;
  readonly expressions: number;
  /** Figures so far. */
  readonly results: readonly GresResult[];
}

export interface GresOptions {
  readonly protocols: readonly GresProtocol[];
  /** Images computed at once. */
  readonly batch: number;
  /** At most this many images, from the start; null for all. */
  readonly limit?: number | null;
  /** How many images, evenly spread, are kept with their answers for a report. Default 0. */
  readonly samples?: number;
  /** Of which protocol the samples' answers are; default the first. */
  readonly sampleProtocol?: GresProtocol;
  readonly onProgress?: (progress: GresProgress) => void;
  /** Only the images of this shard; default all. */
  readonly shard?: Shard;
  /** The shard's first images, as an interrupted run has recorded them: they are counted and not computed again. */
  readonly earlier?: readonly ImageRecord[];
  /** Under 'strict', [REJ] from this probability on; default: the most probable token decides, as published. */
  readonly rejectThreshold?: number | null;
  /** Called for each image that was computed, in order. */
  readonly onImage?: (image: ImageRecord) => void;
  readonly signal?: AbortSignal;
}

export interface GresEvaluation {
  /** In the order of `protocols`. */
  readonly results: readonly (GresResult & { readonly images: number })[];
  readonly samples: readonly ReportSample[];
  /** Of all free answers together; null where none were asked for. */
  readonly faults: AnswerFaults | null;
}

/** An image of the split and its place there. */
interface Entry {
  readonly entry: ReferringImage;
  readonly place: number;
}

/** Decoded, with its ground truth. */
interface Loaded extends Entry {
  readonly picture: RgbImage;
  readonly targets: readonly ReferringTarget[];
}

/** One image's replies. */
interface Replies {
  readonly forced: (GresReply & { readonly masks: readonly BinaryMask[] }) | undefined;
  readonly generated: (GresReply & { readonly faults?: AnswerFaults }) | undefined;
}

/**
 * @throws UserError for an image that cannot be read or is not of the size that the annotations say; the signal's
 *   reason when it is aborted
 */
export async function evaluateGres<Image>(
  dataset: GresDataset,
  responder: GresResponder<Image>,
  options: GresOptions,
): Promise<GresEvaluation> {
  const { protocols, batch, signal, shard = WHOLE, earlier = [] } = options;
  if (protocols.length === 0) throw new UserError('Evaluating: no protocol is given.');
  const entries = dataset.images
    .slice(0, options.limit ?? undefined)
    .map((entry, place) => ({ entry, place }))
    .filter(({ place }) => place % shard.count === shard.index);
  const run = new Run(options, entries.length);
  for (const [i, image] of earlier.entries()) run.addEarlier(image, entries[i]);
  // Batches are those of an uninterrupted run, also where some of their images are done: sums inside the model may
  // round otherwise in another company.
  const start = Math.floor(earlier.length / batch) * batch;
  let next = load(dataset, entries.slice(start, start + batch));
  for (let first = start; first < entries.length; first += batch) {
    const loaded = await next;
    // Decoding uses other threads: the next images are read while these are computed.
    next = load(dataset, entries.slice(first + batch, first + 2 * batch));
    next.catch(() => undefined); // reported when its turn comes, or not at all when this batch fails
    await nextTurn();
    signal?.throwIfAborted();
    const images = await responder.encode(loaded.map(({ picture }) => picture));
    const questions = loaded.map(({ targets }, i) => ({
      image: images[i] as Image,
      expressions: targets.map(({ expression }) => expression),
      answers: targets.map(({ isEmpty }) => (isEmpty ? ('rej' as const) : ('seg' as const))),
    }));
    const forced = protocols.some((protocol) => protocol !== 'generate') ? await responder.force(questions) : [];
    for (const [i, item] of loaded.entries()) {
      if (first + i < earlier.length) continue;
      const question = questions[i] as (typeof questions)[number];
      const generated = protocols.includes('generate') ? await run.generate(responder, question) : undefined;
      run.add(item, { forced: forced[i], generated });
    }
  }
  return run.evaluation();
}

async function load(dataset: GresDataset, entries: readonly Entry[]): Promise<Loaded[]> {
  return Promise.all(
    entries.map(async ({ entry, place }) => {
      const picture = await readImage(entry.path);
      if (picture.height !== entry.height || picture.width !== entry.width) {
        throw new UserError(
          `Evaluating: ${entry.path} is ${picture.height} × ${picture.width} pixels (height × width), the annotations ` +
            `say ${entry.height} × ${entry.width}. Use the images that belong to the annotations.`,
        );
      }
      return { entry, place, picture, targets: dataset.targets(entry) };
    }),
  );
}

const NO_FAULTS: AnswerFaults = { unknown: 0, repeated: 0, unanswered: 0 };

/** What has been measured so far. */
class Run {
  private readonly metrics: readonly GresMetric[];
  private readonly samples: ReportSample[] = [];
  private faults = NO_FAULTS;
  private images = 0;
  private expressions = 0;
  private imageBegan = performance.now();

  constructor(
    private readonly options: GresOptions,
    private readonly totalImages: number,
  ) {
    this.metrics = options.protocols.map((protocol) => new GresMetric(protocol));
  }

  async generate<Image>(
    responder: GresResponder<Image>,
    question: GresQuestion<Image>,
  ): ReturnType<GresResponder<Image>['generate']> {
    const { signal } = this.options;
    return responder.generate(question, signal === undefined ? {} : { signal });
  }

  /** @throws UserError where the record is of other data */
  addEarlier(image: ImageRecord, here: Entry | undefined): void {
    const { protocols } = this.options;
    const found = here?.entry.expressions.map(({ text }) => text) ?? [];
    const recorded = image.records.slice(0, image.records.length / protocols.length);
    const isSame = here?.entry.imageId === image.imageId && recorded.length === found.length;
    if (!isSame || recorded.some(({ expression }, i) => expression !== found[i])) {
      throw new UserError(
        `Resuming: the recorded image ${image.image} is ${image.fileName} with ${recorded.length} expressions, which is ` +
          'not what the dataset has there. Use the data that the run was begun with.',
      );
    }
    for (const record of image.records) this.metricOf(record.protocol).addScore(record);
    this.count(image.faults, recorded.length);
  }

  add(loaded: Loaded, replies: Replies): void {
    const { entry, place, targets, picture } = loaded;
    const scored = this.metrics.flatMap((metric) => {
      const reply = replyOf(metric.protocol, replies);
      if (reply.results.length !== targets.length) {
        throw new Error(`evaluateGres: ${targets.length} expressions were asked, ${reply.results.length} answered`);
      }
      return targets.map((target, i) =>
        this.measure(metric, target, i, reply.results[i] as SegmentResult, replies.forced?.masks[i]),
      );
    });
    if (this.isSample()) {
      const { question, answer, results } = replyOf(this.sampleProtocol, replies);
      this.samples.push({ image: picture, question, answer, results, targets });
    }
    const faults = faultsOf(replies);
    const seconds = (performance.now() - this.imageBegan) / 1000;
    this.imageBegan = performance.now();
    if (this.options.onImage !== undefined) {
      const replied = this.metrics.map(({ protocol }) => {
        const { question, answer } = replyOf(protocol, replies);
        return { protocol, question, answer };
      });
      const date = new Date().toISOString();
      const image = { image: place, seconds, date, replies: replied, faults };
      this.options.onImage(makeImageRecord(entry, image, targets, scored));
    }
    this.count(faults, targets.length);
    const { images, totalImages, expressions } = this;
    this.options.onProgress?.({
      images,
      totalImages,
      expressions,
      results: this.metrics.map((metric) => metric.result()),
    });
  }

  evaluation(): GresEvaluation {
    const { images, samples } = this;
    const results = this.metrics.map((metric) => ({ ...metric.result(), images }));
    return { results, samples, faults: this.options.protocols.includes('generate') ? this.faults : null };
  }

  private measure(
    metric: GresMetric,
    target: ReferringTarget,
    index: number,
    result: SegmentResult,
    secondPassMask: BinaryMask | undefined,
  ): ScoredExpression {
    const { protocol } = metric;
    const answer = this.answerOf(result, protocol);
    const isReference = protocol === 'reference';
    // What the threshold accepts although [REJ] was the most probable token has its mask from the second pass.
    const strict = protocol === 'strict' && answer === 'seg' ? (result.mask ?? secondPassMask) : result.mask;
    const prediction = (isReference ? secondPassMask : strict) ?? null;
    const score = metric.add({ prediction, target: target.mask, answer });
    // A right rejection is scored without looking at a mask.
    const mask = score.targetIsEmpty && score.decisionIsRight ? null : prediction;
    return { protocol, index, answer, result, mask, score };
  }

  private answerOf({ status, rejectProbability }: SegmentResult, protocol: GresProtocol): Answer {
    const { rejectThreshold = null } = this.options;
    if (protocol === 'strict' && rejectThreshold !== null && rejectProbability !== null) {
      return rejectProbability >= rejectThreshold ? 'rej' : 'seg';
    }
    if (status === 'segmented') return 'seg';
    return status === 'rejected' ? 'rej' : 'none';
  }

  private metricOf(protocol: GresProtocol): GresMetric {
    const metric = this.metrics.find((each) => each.protocol === protocol);
    if (metric === undefined)
      throw new UserError(`Resuming: the records have results by ${protocol}, which is not asked for.`);
    return metric;
  }

  private count(faults: AnswerFaults | null, expressions: number): void {
    this.images++;
    this.expressions += expressions;
    if (faults !== null) this.faults = addFaults(this.faults, faults);
  }

  private get sampleProtocol(): GresProtocol {
    return this.options.sampleProtocol ?? (this.metrics[0] as GresMetric).protocol;
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

function replyOf(protocol: GresProtocol, { forced, generated }: Replies): GresReply {
  const reply = protocol === 'generate' ? generated : forced;
  if (reply === undefined) throw new Error(`evaluateGres: there is no reply for the protocol ${protocol}`);
  return reply;
}

function faultsOf({ generated }: Replies): AnswerFaults | null {
  return generated === undefined ? null : (generated.faults ?? NO_FAULTS);
}

function addFaults(a: AnswerFaults, b: AnswerFaults): AnswerFaults {
  return {
    unknown: a.unknown + b.unknown,
    repeated: a.repeated + b.repeated,
    unanswered: a.unanswered + b.unanswered,
  };
}
