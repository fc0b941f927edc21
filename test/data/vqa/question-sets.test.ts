/** Questions with short answers: each published layout is read as it is, to train on and to evaluate on. */
import { cpSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, describe, expect, test } from '@jest/globals';

import { openTrainingSet } from '../../../src/data/dataset-registry.js';
import { makeVqaSample, type VqaRequest } from '../../../src/data/vqa/llava-instruct.js';
import { mostFrequent } from '../../../src/data/vqa/question-set.js';
import { openVqaQuestions, vqaSplits } from '../../../src/data/vqa/vqa-question.js';
import { MME_TASKS } from '../../../src/data/vqa/yes-no-questions.js';
import { Random } from '../../../src/random.js';
import { fixture } from '../../helpers/fixtures.js';
import { taught } from '../../helpers/taught-sample.js';

const DATA = fixture('vqa', 'data');
const scratch = mkdtempSync(join(tmpdir(), 'gsva-questions-'));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

const SHORT = 'Answer the question using a single word or phrase.';

/** A copy of the miniatures, changed. */
function changed(change: (path: (file: string) => string) => void): string {
  const dir = mkdtempSync(join(scratch, 'copy-'));
  cpSync(DATA, dir, { recursive: true });
  change((file) => join(dir, file));
  return dir;
}

function edit(path: string, change: (value: never) => void): void {
  const value = JSON.parse(readFileSync(path, 'utf8')) as never;
  change(value);
  writeFileSync(path, JSON.stringify(value));
}

async function turnsOf(name: string, index: number, dir = DATA) {
  const request = openTrainingSet(name, dir).requestAt(index) as VqaRequest;
  const sample = await taught(makeVqaSample)(request, new Random(1), { perSample: 3, absentClasses: 0 });
  return [request.image.replace(`${dir}/`, ''), ...(sample?.turns ?? [])];
}

describe('training', () => {
  test.each([
    ['vqav2', 4, 1, 'coco/train2014/COCO_train2014_000000000041.jpg', `What color is the picture? ${SHORT}`, 'green'],
    ['okvqa', 2, 1, 'coco/train2014/COCO_train2014_000000000041.jpg', `What fruit has this color? ${SHORT}`, 'lime'],
    // Five against five: the first of them.
    ['textvqa', 3, 2, 'textvqa/train_images/train02.jpg', `what is written here? ${SHORT}`, 'stop'],
    [
      'vizwiz',
      3,
      0,
      'vizwiz/train/VizWiz_train_00000000.jpg',
      `What is this? When the provided information is insufficient, respond with 'Unanswerable'. ${SHORT}`,
      'unanswerable',
    ],
    ['gqa', 5, 3, 'gqa/images/2350.jpg', `Is it blue? ${SHORT}`, 'no'],
  ])('%s: a question with its request for a short answer', async (name, length, index, image, user, assistant) => {
    const set = openTrainingSet(name, DATA);
    expect([set.kind, set.length]).toEqual(['vqa', length]);
    expect(await turnsOf(name, index)).toEqual([image, { user: `<image>\n${user}`, assistant }]);
  });

  test('the answer that the authors chose goes before the most frequent one', async () => {
    const dir = changed((path) => {
      edit(path('vqav2/v2_mscoco_train2014_annotations.json'), ({ annotations }: { annotations: object[] }) => {
        Object.assign(annotations[0] as object, { multiple_choice_answer: 'crimson' });
      });
    });
    expect((await turnsOf('vqav2', 0, dir))[1]).toMatchObject({ assistant: 'crimson' });
  });

  test('of equally frequent answers the first; empty ones do not count', () => {
    expect(mostFrequent(['b', 'a', '', '', '', 'a', 'b'])).toBe('b');
    expect(mostFrequent(['', ' '])).toBe('');
  });
});

describe('evaluation', () => {
  test('VQAv2: all ten answers, in their order', () => {
    const questions = openVqaQuestions('vqav2', DATA, 'val');
    expect(questions).toHaveLength(3);
    expect(questions[1]).toEqual({
      id: '41001',
      image: join(DATA, 'coco/val2014/COCO_val2014_000000000041.jpg'),
      text: 'What color is the picture?',
      answers: [...Array<string>(3).fill('pink'), ...Array<string>(7).fill('green')],
      category: 'number',
    });
  });

  test.each([
    ['okvqa', 'val', 2, 10, 'other', 'coco/val2014/COCO_val2014_000000000040.jpg'],
    ['textvqa', 'val', 2, 10, '', 'textvqa/train_images/val00.jpg'],
    ['vizwiz', 'val', 2, 10, 'unanswerable', 'vizwiz/val/VizWiz_val_00000000.jpg'],
    ['gqa', 'testdev', 2, 1, 'query', 'gqa/images/n10.jpg'],
    ['pope', 'popular', 2, 1, 'popular', 'coco/val2014/COCO_val2014_000000000040.jpg'],
    ['mme', 'test', 28, 1, 'existence', 'mme/MME_Benchmark_release_version/existence/0001.jpg'],
  ])('%s:%s', (name, split, count, answers, category, image) => {
    const questions = openVqaQuestions(name, DATA, split);
    expect(questions).toHaveLength(count);
    expect(new Set(questions.map(({ id }) => id)).size).toBe(count);
    expect(questions[0]).toMatchObject({ image: join(DATA, image), category });
    expect(questions.map((question) => question.answers.length)).toEqual(Array(count).fill(answers));
    expect(vqaSplits(name)).toContain(split);
  });

  test('MME: two questions about each picture, in either form of the folders', () => {
    const questions = openVqaQuestions('mme', DATA, 'test');
    expect([...new Set(questions.map(({ category }) => category))]).toEqual(MME_TASKS);
    const artwork = questions.filter(({ category }) => category === 'artwork');
    expect(artwork.map(({ id, text, answers }) => [id, text, ...answers])).toEqual([
      ['artwork/0001/1', 'Is this picture red? Please answer yes or no.', 'yes'],
      ['artwork/0001/2', 'Is this picture blue? Please answer yes or no.', 'no'],
    ]);
    expect(artwork[0]?.image).toBe(join(DATA, 'mme/MME_Benchmark_release_version/artwork/images/0001.jpg'));
    const bare = changed((path) => {
      renameSync(path('mme/MME_Benchmark_release_version'), path('tasks'));
      rmSync(path('mme'), { recursive: true });
      renameSync(path('tasks'), path('mme'));
    });
    expect(openVqaQuestions('mme', bare, 'test').map(({ id }) => id)).toEqual(questions.map(({ id }) => id));
  });

  test("a list of one's own is read in the same form", () => {
    const dir = mkdtempSync(join(scratch, 'llava-'));
    cpSync(fixture('datasets', 'data', 'llava_dataset'), join(dir, 'llava_dataset'), { recursive: true });
    const line = { question_id: 7, image: 'a.jpg', text: 'What?', answer: 'red', category: 'color' };
    writeFileSync(join(dir, 'llava_dataset', 'questions_val.json'), JSON.stringify([line]));
    const image = join(dir, 'coco', 'val2017', 'a.jpg');
    const question = { id: '7', image, text: 'What?', answers: ['red'], category: 'color' };
    expect(openVqaQuestions('llava', dir, 'val')).toEqual([question]);
  });
});

describe('refusals', () => {
  const annotations = 'vqav2/v2_mscoco_val2014_annotations.json';
  interface Annotated {
    annotations: { question_id: number; image_id: number; answers: unknown[] }[];
  }

  test.each<[string, string, string, (path: (file: string) => string) => void, RegExp]>([
    [
      'a missing file',
      'gqa',
      'testdev',
      (path) => {
        rmSync(path('gqa/testdev_balanced_questions.json'));
      },
      /^Reading GQA: .*testdev_balanced_questions\.json is missing\. Unpack questions1\.2\.zip/,
    ],
    [
      'annotations of other questions',
      'vqav2',
      'val',
      (path) => {
        edit(
          path(annotations),
          (file: Annotated) => (file.annotations[1] = { ...file.annotations[1], question_id: 5 } as never),
        );
      },
      /annotations\[1\] of .* has no question with the id 5/,
    ],
    [
      'questions without an annotation',
      'vqav2',
      'val',
      (path) => {
        edit(path(annotations), (file: Annotated) => file.annotations.pop());
      },
      /lacks 1 of the questions of .*, first that with the id 42002/,
    ],
    [
      'another picture',
      'vqav2',
      'val',
      (path) => {
        edit(
          path(annotations),
          (file: Annotated) => (file.annotations[0] = { ...file.annotations[0], image_id: 3 } as never),
        );
      },
      /annotations\[0\]\.image_id of .* is 3; expected 40, as the question 40000/,
    ],
    [
      'no answer',
      'vqav2',
      'val',
      (path) => {
        edit(
          path(annotations),
          (file: Annotated) => (file.annotations[0] = { ...file.annotations[0], answers: [] } as never),
        );
      },
      /annotations\[0\]\.answers of .* is a list of 0; expected at least one answer/,
    ],
    [
      'an id twice',
      'pope',
      'random',
      (path) => {
        const file = path('pope/coco_pope_random.json');
        writeFileSync(file, readFileSync(file, 'utf8').repeat(2));
      },
      /line 3 of .*: the id 1 occurs earlier/,
    ],
    [
      'a line that is no JSON',
      'pope',
      'random',
      (path) => {
        writeFileSync(path('pope/coco_pope_random.json'), '{"question_id": 1,\n');
      },
      /line 1 of .* is no JSON object/,
    ],
    [
      'a label of another kind',
      'pope',
      'random',
      (path) => {
        const line = { question_id: 1, image: 'a.jpg', text: 'Is it?', label: 'maybe' };
        writeFileSync(path('pope/coco_pope_random.json'), JSON.stringify(line));
      },
      /line 1\.label of .* is "maybe"; expected one of "yes", "no"/,
    ],
    [
      'a picture outside',
      'pope',
      'random',
      (path) => {
        const line = { question_id: 1, image: '../a.jpg', text: 'Is it?', label: 'yes' };
        writeFileSync(path('pope/coco_pope_random.json'), JSON.stringify(line));
      },
      /is "\.\.\/a\.jpg"; expected a file name without a folder/,
    ],
    [
      'an answer that is neither',
      'mme',
      'test',
      (path) => {
        writeFileSync(path('mme/MME_Benchmark_release_version/count/0001.txt'), 'Is it?\tYes\nIs it?\tMaybe\n');
      },
      /line 2 of .* is "Is it\?\\tMaybe"; expected a question, a tab, and Yes or No/,
    ],
    [
      'one question about a picture',
      'mme',
      'test',
      (path) => {
        writeFileSync(path('mme/MME_Benchmark_release_version/count/0001.txt'), 'Is it?\tYes\n');
      },
      /has 1 questions; expected two/,
    ],
    [
      'questions about no picture',
      'mme',
      'test',
      (path) => {
        rmSync(path('mme/MME_Benchmark_release_version/count/0001.jpg'));
      },
      /count\/0001\.txt: .* has no picture of that name/,
    ],
    [
      'reserved words',
      'textvqa',
      'val',
      (path) => {
        edit(path('textvqa/TextVQA_0.5.1_val.json'), (file: { data: { question: string }[] }) => {
          (file.data[0] as { question: string }).question = 'Is [SEG] here?';
        });
      },
      /data\[0\] of .*: the question contains \[SEG\], which is reserved/,
    ],
  ])('%s', (_, name, split, change, message) => {
    const dir = changed(change);
    expect(() => openVqaQuestions(name, dir, split)).toThrow(message);
  });

  test('a set or a split that does not exist', () => {
    expect(() => openVqaQuestions('vqa2', DATA, 'val')).toThrow(
      /no questions of a set "vqa2" \(did you mean "vqav2"\?\)/,
    );
    expect(() => openVqaQuestions('pope', DATA, 'val')).toThrow(
      /no split "val"; they have random, popular, adversarial/,
    );
    expect(() => openTrainingSet('pope', DATA)).toThrow(/no data set "pope"/);
  });
});
