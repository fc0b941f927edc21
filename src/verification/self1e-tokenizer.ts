/**
 * Verifies SELF1E's texts against a recording: token ids of both published forms of the tokenizer (cases.json), and
 * (prompts.json) templates, conversations, ids, labels and, in self1e-batches.ts and self1e-datasets.ts, padded batches
 * and the conversations that the datasets give.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { JsonPlace } from '../data/annotation-files.js';
import { filesOf } from '../data/read-tokenizer.js';
import { renderConversation } from '../data/text/conversation.js';
import { Tokenizer } from '../data/text/tokenizer.js';
import {
  IGNORE_LABEL,
  IMAGE_CONTEXT_TOKEN,
  IMAGE_PLACEHOLDER,
  PICTURE_END_TOKEN,
  PICTURE_START_TOKEN,
} from '../special-tokens.js';
import { Self1eDialogue } from '../systems/self1e/dialogue.js';
import { addSelf1eTokens, SELF1E_TOKENS, type Self1eIds } from '../systems/self1e/tokens.js';
import {
  ANSWERS,
  EXPLANATION_REQUESTS,
  LONG_QUESTIONS,
  SHORT_QUESTIONS,
  withImage,
} from '../systems/shared/lisa-prompts.js';
import { numbers, openRecorded, texts } from './datasets-recorded.js';
import { FIRST, LAST, Scripted } from './recorded-facts.js';
import { verifySelf1eBatches } from './self1e-batches.js';
import { verifySelf1eDatasets } from './self1e-datasets.js';
import { verifySelf1eMixture } from './self1e-mixture.js';
import { expandedRow, SELF1E_STYLE, textOf, turnsOf } from './self1e-words.js';
import { itemsOf, Mismatches, type VerifyItem } from './verify-item.js';

const ADVICE = 'Use the recorded folder self1e-tokenizer.';

interface Form {
  readonly name: string;
  readonly tokenizer: Tokenizer;
  readonly ids: Self1eIds;
}

/**
 * @param dataDir datasets of the recording; null: they are not at hand
 * @throws UserError where a file or a part of it is missing
 */
export async function verifySelf1eTokenizer(dir: string, dataDir: string | null): Promise<VerifyItem[]> {
  const cases = openRecorded("SELF1E's recorded tokenizer", dir, 'cases.json', ADVICE);
  const root = openRecorded("SELF1E's recorded prompts", dir, 'prompts.json', ADVICE);
  const forms = openForms(dir);
  const [{ tokenizer, ids }] = forms;
  return [
    ...forms.flatMap((form) => verifyCases(cases, form)),
    verifyLists(root),
    verifyTraining(root, tokenizer, ids),
    verifyVqa(root, tokenizer, ids),
    verifyFullSize(root.key('full_size'), tokenizer, ids),
    ...verifySelf1eBatches(root.key('batches'), tokenizer, ids),
    ...(dataDir === null ? [] : await verifySelf1eDatasets(root, dataDir, tokenizer, ids)),
    ...(dataDir === null ? [] : verifySelf1eMixture(root.key('mixture'), dataDir)),
  ];
}

/** The tokenizer by each form of files that the folder has; tokenizer.json hides the other where both exist. */
function openForms(dir: string): [Form, ...Form[]] {
  const form = (name: string, hidden: string | null): Form => {
    const files = filesOf(dir);
    const read: typeof files.read = (file, most) => (file === hidden ? null : files.read(file, most));
    const tokenizer = Tokenizer.fromFiles({ ...files, read }, SELF1E_TOKENS);
    return { name, tokenizer, ids: addSelf1eTokens(tokenizer, dir) };
  };
  if (!existsSync(join(dir, 'tokenizer.json'))) return [form('vocab.json', null)];
  const first = form('tokenizer.json', null);
  return existsSync(join(dir, 'vocab.json')) ? [first, form('vocab.json', 'tokenizer.json')] : [first];
}

function verifyCases(cases: JsonPlace, { name, tokenizer }: Form): VerifyItem[] {
  const vocabulary = new Mismatches(`SELF1E, ${name}: vocabulary and added tokens`);
  vocabulary.compare('size with added tokens', tokenizer.vocabSize, cases.key('total').integer());
  for (const [token, id] of cases.key('added').entries()) {
    vocabulary.compare(`id of ${token}`, tokenizer.tokenId(token) ?? 'none', id.integer());
  }
  const ids = new Mismatches(`SELF1E, ${name}: token ids`);
  const decoded = new Mismatches(`SELF1E, ${name}: decoded texts`);
  for (const item of cases.key('cases').array()) {
    const text = item.key('text').string();
    const recorded = numbers(item.key('ids'));
    ids.compare(JSON.stringify(text), tokenizer.encode(text), recorded);
    decoded.compare(JSON.stringify(text), tokenizer.decode(recorded), item.key('decoded').string());
    const skipped = tokenizer.decode(recorded, { skipSpecial: true });
    decoded.compare(`${JSON.stringify(text)}, special tokens left out`, skipped, item.key('decoded_skip').string());
  }
  return itemsOf(vocabulary, ids, decoded);
}

function verifyLists(root: JsonPlace): VerifyItem {
  const mismatches = new Mismatches('SELF1E: questions, answers and form of conversation');
  const lists = {
    short_questions: SHORT_QUESTIONS.map((text) => withImage(text.replace('{}', '{class_name}'))),
    long_questions: LONG_QUESTIONS.map((text) => withImage(text.replace('{}', '{sent}'))),
    explanatory_questions: EXPLANATION_REQUESTS,
    answers: ANSWERS,
  };
  for (const [name, list] of Object.entries(lists)) {
    mismatches.compare(name, list.join('\n'), texts(root.key('lists').key(name)).join('\n'));
  }
  const marks = { start: PICTURE_START_TOKEN, context: IMAGE_CONTEXT_TOKEN, end: PICTURE_END_TOKEN };
  for (const [name, mark] of Object.entries({ ...marks, placeholder: IMAGE_PLACEHOLDER })) {
    mismatches.compare(name, mark, root.key('image_text').key(name).string());
  }
  mismatches.compare('what is not supervised', IGNORE_LABEL, root.key('ignore').integer());
  const form = root.key('conversation');
  const recorded = (key: string): string => form.key(key).string();
  const [user = '', assistant = ''] = texts(form.key('roles'));
  const system = recorded('system_template').replace('{system_message}', recorded('system_message'));
  const head = system + recorded('sep');
  mismatches.compare('name of the form', SELF1E_STYLE, recorded('name'));
  mismatches.compare('start of every prompt', head, root.key('head').string());
  const whole = head + user + 'Q' + recorded('sep') + assistant + 'A' + recorded('sep');
  mismatches.compare('a turn', renderConversation(SELF1E_STYLE, [{ user: 'Q', assistant: 'A' }]), whole);
  return mismatches.item();
}

/** Every question with some answer, drawn by the dialogue from the recorded text. */
function verifyTraining(root: JsonPlace, tokenizer: Tokenizer, ids: Self1eIds): VerifyItem {
  const mismatches = new Mismatches('SELF1E: training prompts, ids and labels');
  for (const entry of root.key('training').array()) {
    const prompt = entry.key('prompt').string();
    const [question, answer] = [entry.key('question').integer(), entry.key('answer').integer()];
    const kind = entry.key('kind').string();
    const isExplained = kind === 'explanatory';
    const questions = { short: SHORT_QUESTIONS, long: LONG_QUESTIONS, explanatory: EXPLANATION_REQUESTS }[kind] ?? [];
    const draws = [place(question, questions.length), place(answer, ANSWERS.length)];
    const wording = kind === 'short' ? 'class' : 'sentence';
    const target = { text: entry.key('text').string(), wording, mask: null } as const;
    const facts = { kind: 'reason_seg', height: 1, width: 1, targets: [target], turns: [] } as const;
    // What explains is no template: it stands behind the answer as the dataset has it.
    const explanation = isExplained ? prompt.slice(prompt.lastIndexOf('[SEG].') + 7, -'<|im_end|>\n'.length) : null;
    const dialogue = new Self1eDialogue(isExplained ? { explanationOnly: 0 } : {});
    const mode = isExplained ? [FIRST, LAST] : [];
    const [lesson] = dialogue.lessons({ ...facts, explanation }, new Scripted(FIRST, [...mode, ...draws]));
    mismatches.compare(prompt, textOf(lesson?.turns ?? []), prompt);
    compareRow(mismatches, prompt, entry, root, tokenizer, ids);
  }
  return mismatches.item();
}

/** A draw in [0, 1) that takes the choice at `index`. */
function place(index: number, choices: number): number {
  return (index + 0.5) / choices;
}

function verifyVqa(root: JsonPlace, tokenizer: Tokenizer, ids: Self1eIds): VerifyItem {
  const mismatches = new Mismatches('SELF1E: prompts of questions in words, ids and labels');
  for (const entry of root.key('add_vqa').array()) {
    const prompt = entry.key('prompt').string();
    mismatches.compare(prompt, textOf(turnsOf(prompt)), prompt);
    compareRow(mismatches, prompt, entry, root, tokenizer, ids);
  }
  return mismatches.item();
}

function compareRow(
  into: Mismatches,
  prompt: string,
  entry: JsonPlace,
  root: JsonPlace,
  tokenizer: Tokenizer,
  ids: Self1eIds,
): void {
  const row = expandedRow(tokenizer, turnsOf(prompt), root.key('num_image_token').integer(), ids);
  into.compare(`ids of ${prompt}`, row.inputIds, numbers(entry.key('ids')));
  into.compare(`labels of ${prompt}`, row.labels, numbers(entry.key('labels')));
}

function verifyFullSize(entry: JsonPlace, tokenizer: Tokenizer, ids: Self1eIds): VerifyItem {
  const mismatches = new Mismatches('SELF1E: places in a prompt of full size');
  const turns = turnsOf(entry.key('prompt').string());
  const { inputIds, labels } = expandedRow(tokenizer, turns, entry.key('num_image_token').integer(), ids);
  mismatches.compare('length', inputIds.length, entry.key('length').integer());
  mismatches.compare('first vision token', inputIds.indexOf(ids.imageContext), entry.key('first_image').integer());
  mismatches.compare('[SEG]', inputIds.indexOf(ids.seg), entry.key('seg').integer());
  const supervised = [...labels.keys()].filter((i) => labels[i] !== IGNORE_LABEL);
  mismatches.compare('supervised', supervised, numbers(entry.key('supervised')));
  return mismatches.item();
}
