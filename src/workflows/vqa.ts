/**
 * Questions about pictures with short answers: every question asked, in the words of the set's published evaluation, and
 * each reply kept in a file where one is named, so that an interrupted run goes on.
 */
import { openVqaQuestions, vqaSplits, type VqaQuestion } from '../data/vqa/vqa-question.js';
import { describeEngine, type EngineInfo } from '../engine/engine.js';
import { type AnswerHeader, AnswerWriter } from '../evaluation/vqa/answer-records.js';
import type { AnsweredQuestion } from '../evaluation/vqa/vqa-score.js';
import { type AskedSet, OWN_LIST, VQA_SETS } from '../evaluation/vqa/vqa-sets.js';
import type { EncodedImage } from '../features/image-features.js';
import { configDigest, packagedSource, weightsDigest } from '../inference/model-source.js';
import { loadPredictor } from '../inference/open-model.js';
import type { Predictor } from '../inference/predictor.js';
import { readImage } from '../io/image/image-file.js';
import { type AskOptions, startNoted } from './engine.js';
import type { Watch } from './watch.js';

/** Tokens after which a reply to a list's question is cut off, unless said otherwise. */
const LIST_TOKENS = 8;

export interface VqaOptions extends Omit<AskOptions, 'rejectThreshold'> {
  /** Folder with the files and pictures of the set. */
  readonly data: string;
  /** Default: a list of one's own. */
  readonly dataset?: AskedSet;
  /** Default: the one that is usually measured; of POPE all three. */
  readonly split?: string;
  readonly limit?: number;
  /** Tokens after which a reply is cut off; default: as the set's evaluation has it. */
  readonly maxTokens?: number;
  /** File for every reply (JSON lines). */
  readonly records?: string;
  /** Go on with `records` where an interrupted run ended. */
  readonly resume?: boolean;
}

export interface VqaResult {
  readonly set: AskedSet;
  readonly split: string;
  readonly answered: readonly AnsweredQuestion[];
  readonly seconds: number;
  readonly engine: EngineInfo;
}

/** @throws UserError for files that cannot be used; the signal's reason */
export async function answerQuestions(options: VqaOptions): Promise<VqaResult> {
  const { dataset: set = OWN_LIST, limit, onNote } = options;
  const { instruction, maxTokens: usual } =
    set === OWN_LIST ? { instruction: '', maxTokens: LIST_TOKENS } : VQA_SETS[set];
  const { maxTokens = usual } = options;
  const { split, questions: all } = questionsOf(set, options);
  const questions = all.slice(0, limit);
  const engine = await startNoted(options.engine, options);
  const source = packagedSource(options.model);
  const { predictor, meta } = await loadPredictor(source, options.precision);
  let writer: AnswerWriter | null = null;
  const startedAt = performance.now();
  try {
    const replies: string[] = [];
    if (options.records !== undefined) {
      const header: AnswerHeader = {
        ...{ set, split, questions: questions.length, instruction, maxTokens },
        model: `${meta.description} (${meta.stage})`,
        configDigest: configDigest(predictor.asking.config),
        weightsDigest: weightsDigest(source),
        engine: describeEngine(engine),
      };
      if (options.resume === true) {
        const begun = AnswerWriter.resume(
          options.records,
          header,
          questions.map(({ id }) => id),
        );
        writer = begun.writer;
        replies.push(...begun.replies);
      } else writer = AnswerWriter.create(options.records, header);
      if (replies.length > 0) onNote?.(`${options.records}: ${replies.length} questions are answered already`);
    }
    await ask(predictor, questions, { ...options, instruction, maxTokens }, replies, writer);
    const answered = questions.map((question, i) => ({ ...question, reply: replies[i] as string }));
    return { set, split, answered, seconds: (performance.now() - startedAt) / 1000, engine };
  } finally {
    writer?.close();
    predictor.dispose();
  }
}

/** Questions of one split; of POPE, whose figures are means over its samplings, of all of them unless one is named. */
function questionsOf(set: AskedSet, { data, split }: VqaOptions): { split: string; questions: readonly VqaQuestion[] } {
  const splits = vqaSplits(set);
  if (split === undefined && set === 'pope') {
    const questions = splits.flatMap((each) =>
      openVqaQuestions(set, data, each).map((question) => ({ ...question, id: `${each}/${question.id}` })),
    );
    return { split: splits.join('+'), questions };
  }
  const { [0]: usual = '' } = splits;
  return { split: split ?? usual, questions: openVqaQuestions(set, data, split ?? usual) };
}

interface Words extends Watch {
  readonly instruction: string;
  readonly maxTokens: number;
}

/** Asks what is not answered yet. A picture is encoded once for questions about it that stand together. */
async function ask(
  predictor: Predictor,
  questions: readonly VqaQuestion[],
  { instruction, maxTokens, signal, onProgress }: Words,
  replies: string[],
  writer: AnswerWriter | null,
): Promise<void> {
  let encoded = null as { readonly path: string; readonly image: EncodedImage } | null;
  for (const { id, image: path, text } of questions.slice(replies.length)) {
    if (encoded?.path !== path) encoded = { path, image: await predictor.encodeOne(await readImage(path), signal) };
    const { answer } = await predictor.converse(encoded.image, `${text}${instruction}`, { maxTokens, signal });
    writer?.write(id, answer);
    replies.push(answer);
    onProgress?.({ label: 'questions', done: replies.length, total: questions.length });
  }
}
