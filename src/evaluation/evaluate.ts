/**
 * A model on a split's images by several protocols in one pass: each image is encoded once, asked in as few questions
 * as its benchmark allows, scored and recorded. The model is a `Responder` of the caller.
 */
import type { Abortable } from '../abortable.js';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { UserError } from '../errors.js';
import type { Answer } from '../systems/system.js';
import type { Benchmark } from './benchmarks/benchmarks.js';
import type { AskedQuestion, Conversation, ForcedReply, FreeReply, Responder } from './conversations.js';
import { divide, inGroups } from './conversations.js';
import type { EvaluatedDataset, EvaluatedTarget } from '../data/refer/refer-dataset.js';
import { EvaluationRun, type Evaluation, type Replies, type RunOptions } from './evaluation-run.js';
import { loadImages } from './load-images.js';
import { formOfProtocol, type GresProtocol, OWN_FORMS } from './metrics/gres-score.js';
import { WHOLE } from './records/record.js';
import type { ImageRecord, Refusal, Shard } from './records/record-types.js';

export interface EvaluationOptions extends RunOptions {
  /** Images, and questions, computed at once. */
  readonly batch: number;
  /** How expressions are asked for where the dataset does not prescribe it; default: in each protocol's own form. */
  readonly question?: string;
  /** At most this many images, from the start; null for all. */
  readonly limit?: number | null;
  /** Images that are missing or damaged are left out and counted instead of ending the run. */
  readonly skipBad?: boolean;
  /** Only the images of this shard; default all. */
  readonly shard?: Shard;
  /** The shard's first images, as an interrupted run has recorded them: they are counted and not computed again. */
  readonly earlier?: readonly ImageRecord[];
  readonly signal?: Abortable | undefined;
}

interface Asked<Image> extends Omit<AskedQuestion<Image>, 'form'> {
  readonly conversation: Conversation;
  readonly answers: readonly Answer[];
  /** Pixels of all its masks. */
  readonly pixels: number;
}

/** @throws UserError for an unreadable or wrongly sized image unless skipped; the signal's reason when aborted */
export async function evaluate<Image>(
  benchmark: Benchmark,
  dataset: EvaluatedDataset,
  responder: Responder<Image>,
  options: EvaluationOptions,
): Promise<Evaluation> {
  const { protocols, batch, signal, shard = WHOLE, earlier = [], question = OWN_FORMS, skipBad = false } = options;
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
  // Keep the batch boundaries of an uninterrupted run: floating-point sums depend on which images share a batch.
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
      const { asked, refused } = questionsOf(targets, { question, protocols }, responder, benchmark, image);
      return { loaded, asked, refused };
    });
    const questions = scenes.flatMap(({ asked }) => asked);
    const answers = new AnswersInTurn(responder, protocols, questions, batch);
    for (const { loaded, asked, refused } of scenes) {
      const isDone = done.has(loaded.place);
      const answered = [];
      for (const each of asked) {
        answered.push({ ...each.conversation, replies: await answers.next(each, isDone, signal) });
      }
      if (!isDone) run.add(loaded, answered, refused);
    }
  }
  return run.evaluation();
}

function questionsOf<Image>(
  targets: readonly EvaluatedTarget[],
  { question, protocols }: { readonly question: string; readonly protocols: readonly GresProtocol[] },
  responder: Responder<Image>,
  { logitRule }: Benchmark,
  image: Image,
): { asked: Asked<Image>[]; refused: readonly Refusal[] } {
  // All protocols are asked about the same expressions, so what one of them cannot be asked none of them is.
  const formsOf = (form: string) => new Set(protocols.map((protocol) => formOfProtocol(protocol, form)));
  const { conversations, refused } = divide(targets, question, {
    asksAlone: (form) => [...formsOf(form)].some((each) => responder.asksAlone(each)),
    refuse: (expressions, form) => {
      const reasons = [...formsOf(form)].map((each) => responder.refusal?.(expressions, each) ?? null);
      return reasons.find((reason) => reason !== null) ?? null;
    },
  });
  const asked = conversations.map((conversation) => {
    const own = conversation.indexes.map((index) => targets[index] as EvaluatedTarget);
    return {
      image,
      conversation,
      expressions: own.map(({ expression }) => expression),
      answers: own.map(({ isEmpty }) => (isEmpty ? 'absent' : 'found')),
      logitRule,
      pixels: own.reduce((sum, { mask }) => sum + mask.data.length, 0),
    };
  });
  return { asked, refused };
}

/**
 * Replies of all protocols, question by question. Protocols that force the same form share a reply; each form has
 * groups of its own, so that figures do not depend on which other protocols are asked.
 */
class AnswersInTurn<Image> {
  /** Key of the queue of each protocol that forces. */
  private readonly forced = new Map<GresProtocol, string>();
  private readonly queues = new Map<string, AsyncGenerator<ForcedReply>>();

  /** @param most questions that are computed at once */
  constructor(
    private readonly responder: Responder<Image>,
    private readonly protocols: readonly GresProtocol[],
    asked: readonly Asked<Image>[],
    most: number,
  ) {
    for (const protocol of protocols.filter((each) => each !== 'generate')) {
      const questions = asked.map((question) => {
        return { ...question, form: formOfProtocol(protocol, question.conversation.form) };
      });
      const key = questions.map(({ form }) => form).join();
      this.forced.set(protocol, key);
      if (!this.queues.has(key)) this.queues.set(key, forceInTurn(responder, questions, most));
    }
  }

  /** @param isDone the question was answered in an earlier run: nothing is generated for it */
  async next(asked: Asked<Image>, isDone: boolean, signal: Abortable | undefined): Promise<Replies> {
    const forced = new Map<string, ForcedReply>();
    for (const [key, queue] of this.queues) forced.set(key, (await queue.next()).value as ForcedReply);
    const replies: Partial<Record<GresProtocol, ForcedReply | FreeReply>> = {};
    for (const protocol of this.protocols) {
      const key = this.forced.get(protocol);
      if (key !== undefined) replies[protocol] = forced.get(key);
      else if (!isDone) {
        const question = { ...asked, form: formOfProtocol(protocol, asked.conversation.form) };
        replies[protocol] = await this.responder.generate(question, signal === undefined ? {} : { signal });
      }
    }
    return replies;
  }
}

/** The replies one after the other; questions are computed in groups, each when its first reply is wanted. */
async function* forceInTurn<Image>(
  responder: Responder<Image>,
  asked: readonly (Asked<Image> & { readonly form: string })[],
  most: number,
): AsyncGenerator<ForcedReply> {
  for (const group of inGroups(asked, most)) yield* await responder.force(group);
}
