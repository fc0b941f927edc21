/** A file of replies goes on from any byte at which it was cut off; other runs and damaged files are refused by name. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from '@jest/globals';
import { AnswerWriter } from '../../../src/evaluation/vqa/answer-records.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-answers-'));
const file = join(scratch, 'runs', 'replies.jsonl');
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

const IDS = ['7', 'eight', '9'];
const REPLIES = ['red', 'zwölf\n', ''];
const HEADER = {
  ...{ set: 'vqav2', split: 'val', questions: 3, instruction: ' Answer.', maxTokens: 10 },
  ...{ model: 'a model', configDigest: 'c', weightsDigest: 'w', engine: 'wasm' },
};

/** Answers what is missing. @returns the replies that were there */
function goOn(): readonly string[] {
  const { writer, replies } = AnswerWriter.resume(file, HEADER, IDS);
  for (const [i, id] of IDS.entries()) if (i >= replies.length) writer.write(id, REPLIES[i] as string);
  writer.close();
  return replies;
}

beforeEach(() => {
  rmSync(file, { force: true });
});

test('from every byte at which a crash can have cut it off, the whole file comes about again', () => {
  expect(goOn()).toEqual([]);
  const whole = readFileSync(file);
  for (let end = 0; end <= whole.length; end++) {
    writeFileSync(file, whole.subarray(0, end));
    const lines = whole.subarray(0, end).filter((byte) => byte === 0x0a).length;
    expect(goOn()).toEqual(REPLIES.slice(0, Math.max(0, lines - 1)));
    expect(readFileSync(file).equals(whole)).toBe(true);
  }
});

test('a file is never overwritten; one without a reply is not left behind', () => {
  goOn();
  expect(() => AnswerWriter.create(file, HEADER)).toThrow(/is there already\. Go on with it by --resume/);
  rmSync(file);
  const writer = AnswerWriter.create(file, HEADER);
  expect(existsSync(file)).toBe(true);
  writer.close();
  writer.close();
  expect(existsSync(file)).toBe(false);
});

test.each([
  [
    'another model',
    (text: string) => text.replace('"weightsDigest":"w"', '"weightsDigest":"x"'),
    /weightsDigest is "x"/,
  ],
  [
    'another question',
    (text: string) => text.replace('"eight"', '"ten"'),
    /line 3 answers the question "ten".*"eight"/,
  ],
  ['a question too many', (text: string) => `${text}{"id":"10","reply":""}\n`, /line 5 .* no further one is asked/],
  ['no JSON', (text: string) => text.replace('{"id":"7"', '{id'), /line 2 is not valid JSON/],
  ['an unknown version', (text: string) => text.replace('"version":1', '"version":2'), /"version" is 2/],
  ['a reply that is no text', (text: string) => text.replace('"red"', '5'), /line 2.*"reply" is 5, expected a text/],
])('%s is refused', (_, change, message) => {
  goOn();
  writeFileSync(file, change(readFileSync(file, 'utf8')));
  const before = readFileSync(file, 'utf8');
  expect(goOn).toThrow(message);
  expect(readFileSync(file, 'utf8')).toBe(before);
});
