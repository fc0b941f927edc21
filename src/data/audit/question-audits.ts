/** Audit of the sets of questions with short answers: one pass over the records, by the readers' own code. */
import { existsSync } from 'node:fs';
import { UserError } from '../../errors.js';
import type { Figures } from '../catalogue/entry.js';
import { turnsOf } from '../vqa/llava-instruct.js';
import type { QuestionRecord, QuestionSet } from '../vqa/question-set.js';
import { QUESTION_SETS, taughtSentences } from '../vqa/question-sets.js';
import { checkedQuestion } from '../vqa/vqa-question.js';
import type { Audit, AuditInput, ExpectedImage } from './audit.js';

export const auditQuestionSet: Audit = async (input) => {
  const set = QUESTION_SETS[input.entry.name];
  if (set === undefined) throw new Error(`auditQuestionSet: no reader of ${input.entry.name}`);
  const splits: Record<string, Figures> = {};
  const all = new Map<string, ExpectedImage>();
  for (const split of set.splits) {
    const files = set.files(input.dataDir, split);
    const missing = files.filter((path) => !existsSync(path));
    // A split that is absent altogether may be so: its parts are optional, or missing already.
    if (missing.length === files.length) continue;
    for (const path of missing) input.problems.add('missing file', path);
    if (missing.length === 0) splits[split] = auditSplit(set, split, input, all);
  }
  if (input.isThorough) await input.images.check([...all.values()], input.problems);
  return { splits, images: all.size };
};

/** @param all the pictures of all splits, to which those of this one are added */
function auditSplit(
  set: QuestionSet,
  split: string,
  { dataDir, problems }: AuditInput,
  all: Map<string, ExpectedImage>,
): Figures {
  const images = new Set<string>();
  let questions = 0;
  try {
    set.read(dataDir, split, {
      fault: (kind, message) => {
        problems.add(kind, message);
      },
      record: (record) => {
        questions++;
        images.add(record.image);
        if (!all.has(record.image)) all.set(record.image, { path: record.image, size: null, by: record.source });
        problems.guard(() => {
          check(set, split, record);
        });
      },
    });
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    problems.add('unreadable file', error.message);
  }
  if (questions === 0) problems.add('unreadable file', `${set.files(dataDir, split).join(' and ')} have no question`);
  return { images: images.size, questions };
}

/** Whether the record can be asked and, in the split to train on, taught. @throws UserError where it cannot */
function check(set: QuestionSet, split: string, record: QuestionRecord): void {
  checkedQuestion(set, record);
  if (set.instruction === null || split !== set.splits[0]) return;
  turnsOf({ set: set.title, source: record.source, sentences: taughtSentences(set, record) });
}
