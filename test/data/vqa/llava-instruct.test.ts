import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, describe, expect, test } from '@jest/globals';

import { type Sentence, makeVqaSample, openLlavaInstruct, turnsOf } from '../../../src/data/vqa/llava-instruct.js';
import { UserError } from '../../../src/errors.js';
import { Random } from '../../../src/random.js';
import { fixture } from '../../helpers/fixtures.js';
import { taught } from '../../helpers/taught-sample.js';

const dataDir = fixture('datasets', 'data');
const scratch = mkdtempSync(join(tmpdir(), 'gsva-vqa-'));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});
const options = { perSample: 3, absentClasses: 0 };

/** A data folder whose file holds `content`. */
function withFile(content: string): string {
  const dir = mkdtempSync(join(scratch, 'data-'));
  cpSync(join(dataDir, 'llava_dataset'), join(dir, 'llava_dataset'), { recursive: true });
  writeFileSync(join(dir, 'llava_dataset', 'llava_instruct_150k.json'), content);
  return dir;
}

const said = (...sentences: [from: string, value: string][]): Sentence[] =>
  sentences.map(([from, value]) => ({ from, value }));
const turns = (sentences: Sentence[]): ReturnType<typeof turnsOf> =>
  turnsOf({ set: 'LLaVA', source: 'record [3] of x.json', sentences });

describe('makeVqaSample', () => {
  test('the image with its conversation, and nothing to segment', async () => {
    const set = openLlavaInstruct(dataDir);
    expect([set.kind, set.length]).toEqual(['vqa', 3]);
    const sample = await taught(makeVqaSample)(structuredClone(set.requestAt(1)), new Random(1), options);
    expect(await sample?.image()).toMatchObject({ width: 90, height: 120 });
    expect(sample?.targets).toEqual([]);
    expect(sample?.turns).toEqual([
      { user: '<image>\nWhat is in the picture?', assistant: 'A red triangle.' },
      { user: 'How many shapes?', assistant: 'There are 3.' },
    ]);
  });

  test('a missing image is named', async () => {
    const set = openLlavaInstruct(withFile(JSON.stringify([record('none.jpg')])));
    await expect(taught(makeVqaSample)(set.requestAt(0), new Random(1), options)).rejects.toThrow(
      /train2017\/none\.jpg .*no such file/,
    );
  });
});

describe('turnsOf', () => {
  test('puts the image in front of its question; other sentences keep their spaces', () => {
    expect(
      turns(said(['human', ' Look: <image>\nwhat? \n'], ['gpt', 'A cat. '], ['human', 'Why? '], ['gpt', 'It is.'])),
    ).toEqual([
      { user: '<image>\nLook: \nwhat?', assistant: 'A cat. ' },
      { user: 'Why? ', assistant: 'It is.' },
    ]);
  });

  test('leaves out an answer before the first question, and a question after the last answer', () => {
    const sentences = said(['gpt', 'Hello.'], ['human', '<image>\na'], ['gpt', 'b'], ['human', 'c']);
    expect(turns(sentences)).toEqual([{ user: '<image>\na', assistant: 'b' }]);
  });

  const wrong: [string, Sentence[], RegExp][] = [
    ['two questions in a row', said(['human', '<image> a'], ['human', 'b']), /from "human"; expected "gpt"/],
    ['an unknown speaker', said(['system', '<image> a'], ['gpt', 'b']), /from "system"; expected "human"/],
    ['no image', said(['human', 'a'], ['gpt', 'b']), /<image> has to be in the first question/],
    [
      'an image in an answer',
      said(['human', '<image> a'], ['gpt', '<image>']),
      /<image> has to be in the first question/,
    ],
    ['a token of ours', said(['human', '<image> a'], ['gpt', 'It is [SEG].']), /contains \[SEG\], which is reserved/],
    ['an empty answer', said(['human', '<image> a'], ['gpt', ' ']), /from "gpt" is empty/],
    ['no answer', said(['human', '<image> a']), /no question with an answer/],
    ['nothing', [], /no question with an answer/],
  ];
  test.each(wrong)('refuses %s, naming file and record', (_, sentences, message) => {
    expect(() => turns(sentences)).toThrow(UserError);
    expect(() => turns(sentences)).toThrow(message);
    expect(() => turns(sentences)).toThrow(/^Reading LLaVA: record \[3\] of x\.json: /);
  });
});

describe('openLlavaInstruct', () => {
  const wrong: [string, string, RegExp][] = [
    ['an empty list', '[]', /llava_instruct_150k\.json is an empty list/],
    ['no list', '{}', /llava_instruct_150k\.json.*expected a list/],
    ['a record without an image', JSON.stringify([record('a.jpg'), { conversations: [] }]), /\[1\] .*key "image"/],
    ['a path in a file name', JSON.stringify([record('../a.jpg')]), /\[0\]\.image .*a file name without a folder/],
    ['no conversations', JSON.stringify([{ image: 'a.jpg' }]), /\[0\] .*key "conversations"/],
    [
      'a value that is no text',
      JSON.stringify([record('a.jpg', 3)]),
      /conversations\[0\]\.value .*is 3; expected a text/,
    ],
    ['half a file', '[{"image": "a.j', /llava_instruct_150k\.json cannot be read as JSON/],
  ];
  test.each(wrong)('says what is wrong with %s', (_, content, message) => {
    const dir = withFile(content);
    expect(() => openLlavaInstruct(dir)).toThrow(UserError);
    expect(() => openLlavaInstruct(dir)).toThrow(message);
  });

  test('a missing file is named, with what to do', () => {
    expect(() => openLlavaInstruct(scratch)).toThrow(/llava_instruct_150k\.json .*Put llava_instruct_150k\.json into/);
  });
});

function record(image: string, value: unknown = '<image> a'): unknown {
  return {
    image,
    conversations: [
      { from: 'human', value },
      { from: 'gpt', value: 'b' },
    ],
  };
}
