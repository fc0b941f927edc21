/** The audit of the question sets finds what the readers refuse, and counts what they read. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, describe, expect, test } from '@jest/globals';

import { auditDatasets, type DatasetReport } from '../../../src/data/audit/audit-datasets.js';
import { CATALOGUE } from '../../../src/data/catalogue/catalogue.js';
import { QUESTION_SETS } from '../../../src/data/vqa/question-sets.js';
import { fixture } from '../../helpers/fixtures.js';

const DATA = fixture('vqa', 'data');
const scratch = mkdtempSync(join(tmpdir(), 'gsva-question-audit-'));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

const ENTRIES = CATALOGUE.filter(({ name }) => Object.hasOwn(QUESTION_SETS, name));

async function reportOf(name: string, change?: (path: (file: string) => string) => void): Promise<DatasetReport> {
  let dir = DATA;
  if (change !== undefined) {
    dir = mkdtempSync(join(scratch, 'copy-'));
    cpSync(DATA, dir, { recursive: true });
    change((file) => join(dir, file));
  }
  const [report] = await auditDatasets(
    dir,
    ENTRIES.filter((entry) => entry.name === name),
    { isThorough: true },
  );
  return report as DatasetReport;
}

function edit(path: string, change: (value: never) => void): void {
  const value = JSON.parse(readFileSync(path, 'utf8')) as never;
  change(value);
  writeFileSync(path, JSON.stringify(value));
}

describe('the miniatures', () => {
  test('have no problem, and are fewer than published', async () => {
    const reports = await auditDatasets(DATA, ENTRIES, { isThorough: true });
    expect(reports.flatMap(({ problems }) => problems)).toEqual([]);
    const states = Object.fromEntries(reports.map(({ entry, state }) => [entry.name, state]));
    expect(states).toEqual({
      ...Object.fromEntries(ENTRIES.map(({ name }) => [name, 'partial'])),
      // The images of its splits are not published.
      okvqa: 'sound',
    });
  });

  test('are counted by split; a picture of two splits counts once', async () => {
    expect((await reportOf('vqav2')).figures).toEqual({
      splits: { train: { images: 3, questions: 4 }, val: { images: 3, questions: 3 } },
      images: 6,
    });
    expect((await reportOf('pope')).figures?.images).toBe(2);
    expect((await reportOf('mme')).figures?.splits).toEqual({ test: { images: 14, questions: 28 } });
  });

  test('without the splits to evaluate on are no less sound', async () => {
    const { problems, figures } = await reportOf('gqa', (path) => {
      rmSync(path('gqa/val_balanced_questions.json'));
      rmSync(path('gqa/testdev_balanced_questions.json'));
    });
    expect([problems, Object.keys(figures?.splits ?? {})]).toEqual([[], ['train']]);
  });
});

interface Annotation {
  question_id: number;
  answers: { answer: string }[];
  multiple_choice_answer: string;
}

test.each<[string, string, (path: (file: string) => string) => void, [string, number, RegExp][]]>([
  [
    'faults of several records',
    'vqav2',
    (path) => {
      edit(path('vqav2/v2_mscoco_train2014_annotations.json'), ({ annotations }: { annotations: Annotation[] }) => {
        (annotations[0] as Annotation).answers = [];
        (annotations[1] as Annotation).multiple_choice_answer = ' ';
        (annotations[2] as Annotation).question_id = 7;
      });
    },
    [
      ['unusable record', 2, /annotations\[0\]\.answers of .* expected at least one answer/],
      ['broken reference', 2, /annotations\[2\] of .* no question with the id 7/],
    ],
  ],
  [
    'one of two files',
    'okvqa',
    (path) => {
      rmSync(path('okvqa/mscoco_val2014_annotations.json'));
    },
    [['missing file', 1, /okvqa\/mscoco_val2014_annotations\.json/]],
  ],
  [
    'a picture that is missing, and one that is none',
    'textvqa',
    (path) => {
      rmSync(path('textvqa/train_images/train00.jpg'));
      writeFileSync(path('textvqa/train_images/val00.jpg'), 'text');
    },
    [
      ['missing image', 1, /train00\.jpg \(data\[0\] of/],
      ['unreadable image', 1, /val00\.jpg/],
    ],
  ],
  [
    'a key twice',
    'gqa',
    (path) => {
      const file = path('gqa/testdev_balanced_questions.json');
      writeFileSync(file, readFileSync(file, 'utf8').replace('"071":', '"070":'));
    },
    [['id used twice', 1, /"070" of .*: the id 070 occurs earlier/]],
  ],
  [
    'a file that is cut off',
    'vizwiz',
    (path) => {
      const file = path('vizwiz/Annotations/train.json');
      writeFileSync(file, readFileSync(file, 'utf8').slice(0, -20));
    },
    [['unreadable file', 1, /train\.json cannot be read as JSON/]],
  ],
  [
    'reserved words in a benchmark',
    'pope',
    (path) => {
      const file = path('pope/coco_pope_random.json');
      writeFileSync(file, readFileSync(file, 'utf8').replace('Is there', '</s> Is there'));
    },
    [['unusable record', 1, /line 1 of .* contains <\/s>, which is reserved/]],
  ],
  [
    'a task that is missing',
    'mme',
    (path) => {
      rmSync(path('mme/MME_Benchmark_release_version/OCR'), { recursive: true });
    },
    [['missing file', 1, /MME_Benchmark_release_version\/OCR/]],
  ],
])('%s of %s', async (_, name, change, expected) => {
  const { problems, state } = await reportOf(name, change);
  expect(state).toBe('broken');
  expect(problems.map(({ kind, count }) => [kind, count])).toEqual(expected.map(([kind, count]) => [kind, count]));
  for (const [i, [, , message]] of expected.entries()) expect(problems[i]?.examples[0]).toMatch(message);
});
