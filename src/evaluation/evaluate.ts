/**
 * A model on the images of a split, by any of the protocols in a single pass: each image is encoded once and asked about
 * in as few questions as its benchmark allows; what it answers is scored and recorded image after image.
 *
 * The model is not known here: whoever calls hands in a `Responder`.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { QuestionForm } from '../data/text/question-forms.js';
import { UserError } from '../errors.js';
import type { LogitRule } from '../types.js';
import type { Benchmark } from './benchmarks.js';
import { type Conversation, divide, inGroups } from './conversations.js';
import type { EvaluatedDataset, EvaluatedTarget } from '../data/evaluated-dataset.js';
import { EvaluationRun, type Evaluation, type RunOptions } from './evaluation-run.js';
import { loadImages } from './load-images.js';
import { type ImageRecord, type Refusal, type Shard, WHOLE } from './record.js';
import type { ForcedReply, FreeReply, Responder } from './responder.js';

export interface EvaluationOptions extends RunOptions {
  /** Images, and questions, computed at once. */
  readonly batch: number;
  /** How expressions are asked for where the dataset does not prescribe it; default 'reference'. */
  readonly question?: QuestionForm;
  /** At most this many images, from the start; null for all. */
  readonly limit?: number | null;
  /** Images that are missing or damaged are left out and counted instead of ending the run. */
  readonly skipBad?: boolean;
  /** Only the images of this shard; default all. */
  readonly shard?: Shard;
  /** The shard's first images, as an interrupted run has recorded them: they are counted and not computed again. */
  readonly earlier?: readonly ImageRecord[];
  readonly signal?: AbortSignal;
}

/** A question that is about to be asked. */
interface Asked<Image> {
  readonly image: Image;
  readonly conversation: Conversation;
  readonly expressions: readonly string[];
  readonly answers: readonly ('seg' | 'rej')[];
  readonly form: QuestionForm;
  readonly logitRule: LogitRule;
  /** Of all its masks. */
  readonly pixels: number;
}

/**
 * @throws UserError for an image that cannot be read or is not of the size that the annotations say, unless these are
 *   skipped; the signal's reason when it is aborted
 */
export async function evaluate<Image>(
  benchmark: Benchmark,
  dataset: EvaluatedDataset,
  responder: Responder<Image>,
  options: EvaluationOptions,
): Promise<Evaluation> {
  const { protocols, batch, signal, shard = WHOLE, earlier = [], question = 'reference', skipBad = false } = options;
  if (protocols.length === 0) throw new UserError('Evaluating: no protocol is given.');
  const entries = dataset.images
    .slice(0, options.limit ?? undefined)
    .map((entry, place) => ({ entry, place }))
    .filter(({ place }) => place % shard.count === shard.index);
  const run = new EvaluationRun(benchmark, options, entries.length);
  for (const [i, image] of earlier.entries()) run.addEarlier(image, entries[i]);
  const done = new Set(earlier.map(({ image }) => image));
  const load = (first: number): ReturnType<typeof loadImages> =>
    loadImages(dataset, entries.slice(first, first + batch), (place) => skipBad || done.has(place));
  const isForced = protocols.some((protocol) => protocol !== 'generate');
  const isFree = protocols.includes('generate');
  // Batches are those of an uninterrupted run, also where some of their images are done: sums inside the model may
  // round otherwise in another company.
  const start = Math.floor(earlier.length / batch) * batch;
  let next = load(start);
  for (let first = start; first < entries.length; first += batch) {
    const all = await next;
    // Decoding uses other threads: the next images are read while these are computed.
    next = load(first + batch);
    next.catch(() => undefined); // reported when its turn comes, or not at all when this batch fails
    await nextTurn();
    signal?.throwIfAborted();
    const images = [...(await responder.encode(all.flatMap(({ picture }) => picture ?? [])))];
    const scenes = all.map((loaded) => {
      const { targets, refusal } = loaded;
      if (targets === null) return { loaded, asked: [] as Asked<Image>[], refused: [refusal] };
      const image = images.shift() as Image;
      const { asked, refused } = questionsOf(targets, question, responder, benchmark, image);
      return { loaded, asked, refused };
    });
    const forced = forceInTurn(
      responder,
      scenes.flatMap(({ asked }) => asked),
      batch,
    );
    for (const { loaded, asked, refused } of scenes) {
      const replies = [];
      for (const each of asked) {
        const forcedReply = isForced ? ((await forced.next()).value as ForcedReply) : undefined;
        if (done.has(loaded.place)) continue;
        const generated = isFree ? await generate(responder, each, signal) : undefined;
        replies.push(run.score(each.conversation, loaded.targets ?? [], { forced: forcedReply, generated }));
      }
      if (!done.has(loaded.place)) run.close(loaded, replies, refused);
    }
  }
  return run.evaluation();
}

function questionsOf<Image>(
  targets: readonly EvaluatedTarget[],
  form: QuestionForm,
  responder: Responder<Image>,
  { logitRule }: Benchmark,
  image: Image,
): { asked: Asked<Image>[]; refused: readonly Refusal[] } {
  const { conversations, refused } = divide(targets, form, (expressions, asForm) => {
    return responder.refusal?.(expressions, asForm) ?? null;
  });
  const asked = conversations.map((conversation) => {
    const own = conversation.indexes.map((index) => targets[index] as EvaluatedTarget);
    return {
      image,
      conversation,
      expressions: own.map(({ expression }) => expression),
      answers: own.map(({ isEmpty }) => (isEmpty ? ('rej' as const) : ('seg' as const))),
      form: conversation.form,
      logitRule,
      pixels: own.reduce((sum, { mask }) => sum + mask.data.length, 0),
    };
  });
  return { asked, refused };
}

/** The replies one after the other; questions are computed in groups, each when its first reply is wanted. */
async function* forceInTurn<Image>(
  responder: Responder<Image>,
  asked: readonly Asked<Image>[],
  most: number,
): AsyncGenerator<ForcedReply> {
  for (const group of inGroups(asked, most)) yield* await responder.force(group);
}

function generate<Image>(
  responder: Responder<Image>,
  question: Asked<Image>,
  signal: AbortSignal | undefined,
): Promise<FreeReply> {
  return responder.generate(question, signal === undefined ? {} : { signal });
}
