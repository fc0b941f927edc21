/**
 * LLaVA-Instruct-150K (Liu et al. 2023): <dataDir>/llava_dataset/llava_instruct_150k.json on <dataDir>/coco/train2017.
 * Conversations about an image, in words alone (reference: VQADataset).
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../errors.js';
import { readImage, readImageSize } from '../../io/image/image-file.js';
import { gsvaCommand } from '../../program.js';
import { IMAGE_PLACEHOLDER, RESERVED_TEXTS } from '../../special-tokens.js';
import { type JsonPlace, readRecords } from '../annotation-files.js';
import { type MakeSample, type RequestOf, targetFacts, type TrainingSet, trainingSet } from '../facts.js';
import type { Turn } from '../text/conversation.js';
import { idOf, type VqaQuestion } from './question-set.js';

const NAME = 'LLaVA-Instruct-150K';
const ADVICE =
  "Put llava_instruct_150k.json into <data>/llava_dataset and unpack COCO's train2017.zip into <data>/coco.";

/** One contribution to a conversation, as LLaVA's files have it. */
export interface Sentence {
  /** "human" or "gpt". */
  readonly from: string;
  readonly value: string;
}

export interface VqaRequest extends RequestOf<'vqa'> {
  /** The file and the place in it, for messages. */
  readonly source: string;
  readonly sentences: readonly Sentence[];
}

/**
 * The records in the order of the file; an image may have several.
 * @throws UserError where the file is missing, malformed or empty; what is said is looked into when it is used
 */
export function openLlavaInstruct(dataDir: string): TrainingSet<VqaRequest> {
  const file = join(dataDir, 'llava_dataset', 'llava_instruct_150k.json');
  const records: { readonly fileName: string; readonly sentences: readonly Sentence[] }[] = [];
  readRecords(NAME, file, ADVICE, (place) => {
    records.push({ fileName: place.key('image').fileName(true), sentences: sentencesOf(place) });
  });
  if (records.length === 0) throw new UserError(`Reading ${NAME}: ${file} is an empty list. ${ADVICE}`);
  const imageDir = join(dataDir, 'coco', 'train2017');
  return trainingSet(NAME, 'vqa', records, ({ fileName, sentences }, index) => {
    return { image: join(imageDir, fileName), source: `record [${index}] of ${file}`, sentences };
  });
}

export function sentencesOf(record: JsonPlace): Sentence[] {
  const sentences = record.key('conversations').array();
  return sentences.map((sentence) => ({ from: sentence.key('from').string(), value: sentence.key('value').string() }));
}

export const makeVqaSample: MakeSample<VqaRequest> = async (request) => {
  // Read even where no pixel is needed, so that a missing image is found.
  const facts = { ...targetFacts('vqa', await readImageSize(request.image), []), turns: turnsOf(request) };
  return { image: () => readImage(request.image), facts };
};

/**
 * Questions and answers, the image in front of its question (preprocess_multimodal); unpaired ends are left out.
 * @throws UserError where human and gpt do not take turns, or the image is not in the first question alone
 */
export function turnsOf({ set, source, sentences }: Pick<VqaRequest, 'set' | 'source' | 'sentences'>): Turn[] {
  const fail = (what: string): never => {
    throw new UserError(`Reading ${set}: ${source}: ${what}. Correct it or use the published file.`);
  };
  const alternating = sentences[0]?.from === 'gpt' ? sentences.slice(1) : sentences;
  const texts = alternating.map(({ from, value }, i) => {
    const expected = i % 2 === 0 ? 'human' : 'gpt';
    if (from !== expected) return fail(`a sentence is from ${JSON.stringify(from)}; expected "${expected}" in turn`);
    // Only a sentence with the image loses surrounding spaces, as in the reference.
    const text = i === 0 ? value.replaceAll(IMAGE_PLACEHOLDER, '').trim() : value;
    if (text.trim() === '') return fail(`a sentence from "${from}" is empty`);
    if (value.includes(IMAGE_PLACEHOLDER) !== (i === 0)) {
      return fail(`${IMAGE_PLACEHOLDER} has to be in the first question, and there alone`);
    }
    const reserved = RESERVED_TEXTS.find((token) => text.includes(token));
    if (reserved !== undefined) return fail(`a sentence contains ${reserved}, which is reserved`);
    return i === 0 ? `${IMAGE_PLACEHOLDER}\n${text}` : text;
  });
  const turns: Turn[] = [];
  for (let i = 0; i + 1 < texts.length; i += 2) {
    turns.push({ user: texts[i] as string, assistant: texts[i + 1] as string });
  }
  return turns.length > 0 ? turns : fail('the conversation has no question with an answer');
}

/**
 * Questions with one-word answers: LLaVA's evaluation list (question_id, image, text, category) with the answers, since
 * LLaVA-Instruct has no held-out part: <dataDir>/llava_dataset/questions_val.json on <dataDir>/coco/val2017.
 * @throws UserError where the file is missing, malformed or empty
 */
export function readVqaQuestions(dataDir: string): VqaQuestion[] {
  const name = 'VQA questions';
  const file = join(dataDir, 'llava_dataset', 'questions_val.json');
  const synth = gsvaCommand('data synth --out FOLDER --mixture 600');
  const advice = `Write a synthetic list with \`${synth}\`, or put your own there.`;
  if (!existsSync(file)) throw new UserError(`Reading ${name}: ${file} is missing. ${advice}`);
  const questions: VqaQuestion[] = [];
  readRecords(name, file, advice, (record, index) => {
    const place = record.key('text');
    const text = place.string();
    const reserved = [IMAGE_PLACEHOLDER, ...RESERVED_TEXTS].some((token) => text.includes(token));
    if (reserved || text.trim() === '') place.fail('a question without reserved tokens');
    const image = join(dataDir, 'coco', 'val2017', record.key('image').fileName(true));
    const given = record.optional('question_id');
    questions.push({
      id: given === null ? String(index) : idOf(given),
      image,
      text,
      answers: [record.key('answer').string()],
      category: record.key('category').string(),
    });
  });
  if (questions.length === 0) throw new UserError(`Reading ${name}: ${file} is an empty list. ${advice}`);
  return questions;
}
