/**
 * Common parts of the sets of questions that are answered in a word or a phrase. Reader and audit share one pass over the
 * files: what the reader refuses is what the audit reports.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../errors.js';
import type { JsonPlace } from '../annotation-files.js';

/** A question about a picture that is answered in words, as evaluations take it. */
export interface VqaQuestion {
  /** Unique in its file; the published id where there is one. */
  readonly id: string;
  /** Path of the picture. */
  readonly image: string;
  /** The question as the set has it, without an instruction about the form of the answer. */
  readonly text: string;
  /** At least one: the ten of the annotators, in their order, or the only one. */
  readonly answers: readonly string[];
  /** The set's own division of its questions (type of answer, task, sampling); '' where it has none. */
  readonly category: string;
}

/** A question with the answer that training teaches. */
export interface QuestionRecord extends VqaQuestion {
  /** Empty where no annotator wrote anything. */
  readonly taught: string;
  /** Place in the file, for messages. */
  readonly source: string;
}

/** Faults that a file of questions can have, named as in a report of the audit. */
export type QuestionFault = 'unusable record' | 'id used twice' | 'broken reference';

/** Receives what one pass over a split finds. */
export interface QuestionTaker {
  record(record: QuestionRecord): void;
  /** A fault of a record, in a sentence with file and place; the records after it follow unless this throws. */
  fault(kind: QuestionFault, message: string): void;
}

export interface QuestionSet {
  readonly title: string;
  /** Sentence that follows a question in training, which asks for a short answer; null: not to be trained on. */
  readonly instruction: string | null;
  readonly splits: readonly [string, ...string[]];
  /** End of messages: where the files come from. */
  readonly advice: string;
  /** Files of a split, all needed; for a set in folders, the folders. */
  files(dataDir: string, split: string): readonly string[];
  /** Folder of a split's pictures. */
  imageDir(dataDir: string, split: string): string;
  /** Reads a split in the order of its file. @throws UserError where a file cannot be read, and what `take` throws */
  read(dataDir: string, split: string, take: QuestionTaker): void;
}

/**
 * Reads a split that has to be sound.
 * @param take takes each record
 * @throws UserError for the first fault, where a file is missing, or where there is no question
 */
export function readQuestions(
  set: QuestionSet,
  dataDir: string,
  split: string,
  take: (record: QuestionRecord) => void,
): void {
  const files = set.files(dataDir, split);
  const fail = (message: string): never => {
    throw new UserError(message.startsWith('Reading ') ? message : `Reading ${set.title}: ${message}. ${set.advice}`);
  };
  const missing = files.find((path) => !existsSync(path));
  if (missing !== undefined) fail(`${missing} is missing`);
  let count = 0;
  set.read(dataDir, split, {
    fault: (_, message) => fail(message),
    record: (record) => {
      count++;
      take(record);
    },
  });
  if (count === 0) fail(`${files.join(' and ')} have no question`);
}

/** Instruction of LLaVA 1.5 and InternVL for questions with a short answer. */
export const SHORT_ANSWER = ' Answer the question using a single word or phrase.';

/** The commonest of the answers, of equally common ones that which comes first; empty ones do not count. */
export function mostFrequent(answers: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const answer of answers) if (answer.trim() !== '') counts.set(answer, (counts.get(answer) ?? 0) + 1);
  let [best, most] = ['', 0];
  for (const [answer, count] of counts) if (count > most) [best, most] = [answer, count];
  return best;
}

/** Text of a question. @throws UserError where it is empty */
export function questionText(place: JsonPlace): string {
  const text = place.string();
  return text.trim() === '' ? place.fail('a question') : text;
}

/** Texts of a list of objects with the key "answer", in their order. @throws UserError for an empty list */
export function answerTexts(place: JsonPlace): string[] {
  const answers = place.array().map((answer) => answer.key('answer').string());
  return answers.length === 0 ? place.fail('at least one answer') : answers;
}

/** An id as text; published ones are numbers or texts. */
export function idOf(place: JsonPlace): string {
  return typeof place.value === 'number' ? String(place.integer()) : place.string();
}

/** Path of a picture whose id is a file's name without ending. */
export function imageNamed(dir: string, id: JsonPlace, ending: string): string {
  return join(dir, `${id.fileName(true)}${ending}`);
}

/** Runs the work on one record; a UserError of it becomes a fault, and the next record follows. */
export function guarded(take: QuestionTaker, work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    take.fault('unusable record', error.message);
  }
}

/** Guard of the ids of a list: a taker whose records have ids that occur once. */
export class UniqueIds {
  private readonly seen = new Set<string>();

  constructor(
    private readonly file: string,
    private readonly take: QuestionTaker,
  ) {}

  /** Whether the id is new; where it is not, the fault is noted. */
  add(id: string, source: string): boolean {
    if (this.seen.size < this.seen.add(id).size) return true;
    this.take.fault('id used twice', `${source}: the id ${id} occurs earlier in ${this.file}`);
    return false;
  }
}
