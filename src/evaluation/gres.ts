/**
 * Generalized referring segmentation on a dataset (gRefCOCO; GSVA paper, tables 1–3): every image of a split, all its
 * expressions in one question, by any of the protocols of `GresMetric` in a single pass over the images.
 *
 * The model is not known here: whoever calls hands in a `GresResponder`.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ReferringImage } from '../data/refer-dataset.js';
import { UserError } from '../errors.js';
import { readImage } from '../io/image-file.js';
import type { BinaryMask, ReferringTarget, RgbImage, SegmentResult } from '../types.js';
import { type Answer, GresMetric, type GresProtocol, type GresResult, type GresScore } from './metrics/gres-metric.js';
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

/** One expression under one protocol. */
export interface GresRecord extends GresScore {
  readonly protocol: GresProtocol;
  readonly imageId: number;
  readonly fileName: string;
  readonly expression: string;
  readonly answer: Answer;
  readonly rejectProbability: number | null;
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
  readonly onRecord?: (record: GresRecord) => void;
  readonly signal?: AbortSignal;
}

export interface GresEvaluation {
  /** In the order of `protocols`. */
  readonly results: readonly (GresResult & { readonly images: number })[];
  readonly samples: readonly ReportSample[];
  /** Of all free answers together; null where none were asked for. */
  readonly faults: AnswerFaults | null;
}

/** An image of the split, decoded, with its ground truth. */
interface Loaded {
  readonly entry: ReferringImage;
  readonly picture: RgbImage;
  readonly targets: readonly ReferringTarget[];
}

/** One image's replies. */
interface Replies {
  readonly forced: (GresReply & { readonly masks: readonly BinaryMask[] }) | undefined;
  readonly generated: GresReply | undefined;
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
  const { protocols, batch, signal } = options;
  if (protocols.length === 0) throw new UserError('Evaluating: no protocol is given.');
  const entries = dataset.images.slice(0, options.limit ?? undefined);
  const run = new Run(options, entries.length);
  let next = load(dataset, entries.slice(0, batch));
  for (let first = 0; first < entries.length; first += batch) {
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
      const question = questions[i] as (typeof questions)[number];
      const generated = protocols.includes('generate') ? await run.generate(responder, question) : undefined;
      run.add(item, { forced: forced[i], generated });
    }
  }
  return run.evaluation();
}

async function load(dataset: GresDataset, entries: readonly ReferringImage[]): Promise<Loaded[]> {
  return Promise.all(
    entries.map(async (entry) => {
      const picture = await readImage(entry.path);
      if (picture.height !== entry.height || picture.width !== entry.width) {
        throw new UserError(
          `Evaluating: ${entry.path} is ${picture.height} × ${picture.width} pixels (height × width), the annotations ` +
            `say ${entry.height} × ${entry.width}. Use the images that belong to the annotations.`,
        );
      }
      return { entry, picture, targets: dataset.targets(entry) };
    }),
  );
}

/** What has been measured so far. */
class Run {
  private readonly metrics: readonly GresMetric[];
  private readonly samples: ReportSample[] = [];
  private faults: AnswerFaults = { unknown: 0, repeated: 0, unanswered: 0 };
  private images = 0;
  private expressions = 0;

  constructor(
    private readonly options: GresOptions,
    private readonly totalImages: number,
  ) {
    this.metrics = options.protocols.map((protocol) => new GresMetric(protocol));
  }

  async generate<Image>(responder: GresResponder<Image>, question: GresQuestion<Image>): Promise<GresReply> {
    const { signal } = this.options;
    const reply = await responder.generate(question, signal === undefined ? {} : { signal });
    const { unknown = 0, repeated = 0, unanswered = 0 } = reply.faults ?? {};
    this.faults = {
      unknown: this.faults.unknown + unknown,
      repeated: this.faults.repeated + repeated,
      unanswered: this.faults.unanswered + unanswered,
    };
    return reply;
  }

  add(loaded: Loaded, replies: Replies): void {
    const { entry, targets, picture } = loaded;
    for (const metric of this.metrics) {
      const reply = replyOf(metric.protocol, replies);
      if (reply.results.length !== targets.length) {
        throw new Error(`evaluateGres: ${targets.length} expressions were asked, ${reply.results.length} answered`);
      }
      for (const [i, target] of targets.entries())
        this.measure(metric, entry, target, reply.results[i] as SegmentResult, replies.forced?.masks[i]);
    }
    if (this.isSample()) {
      const { question, answer, results } = replyOf(this.sampleProtocol, replies);
      this.samples.push({ image: picture, question, answer, results, targets });
    }
    this.images++;
    this.expressions += targets.length;
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
    { imageId, fileName }: ReferringImage,
    target: ReferringTarget,
    result: SegmentResult,
    secondPassMask: BinaryMask | undefined,
  ): void {
    const { protocol } = metric;
    const answer = answerOf(result);
    const prediction = protocol === 'reference' ? (secondPassMask ?? null) : result.mask;
    const score = metric.add({ prediction, target: target.mask, answer });
    const { rejectProbability } = result;
    this.options.onRecord?.({
      protocol,
      imageId,
      fileName,
      expression: target.expression,
      answer,
      rejectProbability,
      ...score,
    });
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

function answerOf({ status }: SegmentResult): Answer {
  if (status === 'segmented') return 'seg';
  return status === 'rejected' ? 'rej' : 'none';
}
