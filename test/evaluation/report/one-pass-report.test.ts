/** The report of a run by the rules of one pass is SELF1E's: its name, its words, nothing about [REJ]. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { benchmarkOf } from '../../../src/evaluation/benchmarks/benchmarks.js';
import { evaluate } from '../../../src/evaluation/evaluate.js';
import type { ImageRecord } from '../../../src/evaluation/records/record-types.js';
import { isAskedAsPublished } from '../../../src/evaluation/report/asked-forms.js';
import { writeRecordedReport } from '../../../src/evaluation/report/recorded-report.js';
import { Self1eDialogue } from '../../../src/systems/self1e/dialogue.js';
import { headerFor, RandomDataset, RandomResponder } from '../random-run.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-one-pass-report-'));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

const dialogue = new Self1eDialogue();

/** Asks for one expression at a time, in the words of a form. */
class OneByOne extends RandomResponder {
  override readonly asksAlone = (): boolean => dialogue.asksAlone();

  override force: RandomResponder['force'] = async (questions) => {
    const replies = await new RandomResponder().force(questions);
    return replies.map((reply, i) => {
      const { expressions, answers, form } = questions[i] as (typeof questions)[number];
      const turn = dialogue.exam(expressions, answers, form)[0]?.turn;
      return { ...reply, question: turn?.user ?? '', answer: turn?.assistant ?? '' };
    });
  };
}

test('title, words and figures', async () => {
  const dataset = new RandomDataset(scratch, 3);
  await dataset.writeFiles();
  const images: ImageRecord[] = [];
  const benchmark = benchmarkOf('grefcoco', 'one-pass');
  await evaluate(benchmark, dataset, new OneByOne(), {
    protocols: ['reference'],
    batch: 2,
    onImage: (image) => images.push(image),
  });
  expect(isAskedAsPublished(images, dialogue)).toBe(true);
  const header = headerFor(3, { benchmark: benchmark.name, protocols: ['reference'], question: 'default' });
  const path = await writeRecordedReport(join(scratch, 'report'), { header, images }, dataset, 'data');
  const page = readFileSync(path, 'utf8');
  expect(page).toContain('SELF1E on 3 images of grefcoco val');
  expect(page).toContain('Please output segmentation mask.”, answered “[SEG] …” (as published)');
  expect(page).toContain('No table of the paper is shown: it has no figures on grefcoco val.');
  expect(page).not.toContain('more probable token');
  expect(page).toContain('N-acc');
});
