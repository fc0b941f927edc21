/** LISA is judged by the rules of its own validation. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { openEvaluatedSet } from '../../src/data/dataset-registry.js';
import { decodeMask, rleFromString } from '../../src/data/masks/coco-mask.js';
import type { EvaluatedTarget } from '../../src/data/refer/refer-dataset.js';
import { lisaFigures } from '../../src/evaluation/figures.js';
import { maskOverlap } from '../../src/evaluation/metrics/mask-overlap.js';
import { recordedResults } from '../../src/evaluation/records/record-figures.js';
import { readWholeRun } from '../../src/evaluation/records/record-file.js';
import type { PublishedSource } from '../../src/inference/model-source.js';
import { evaluate, type EvaluateResult } from '../../src/workflows/evaluate.js';
import { fixture } from '../helpers/fixtures.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-eval-lisa-'));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

const DATA = fixture('datasets', 'data');
const MODEL: PublishedSource = {
  mllm: fixture('checkpoints-tiny-lisa', 'lisa'),
  visionTower: fixture('checkpoints-tiny-lisa', 'clip'),
  sam: null,
  weights: null,
  overrides: [['sam.decoder_heads', 4]],
};

function run(dataset: string, split: string): Promise<EvaluateResult> {
  const [records, report] = [join(scratch, `${dataset}-${split}.jsonl`), join(scratch, `${dataset}-${split}`)];
  return evaluate({ model: MODEL, data: DATA, dataset, split, records, report, engine: { engine: 'wasm' } });
}

const recordsOf = (dataset: string, split: string): ReturnType<typeof readWholeRun> =>
  readWholeRun(join(scratch, `${dataset}-${split}.jsonl`));

describe('ReasonSeg', () => {
  test.each(['val', 'test'])('%s: figures are those of the masks drawn, ignored pixels left out', async (split) => {
    const { results, images } = await run('reason_seg', split);
    const file = recordsOf('reason_seg', split);
    expect(file.header).toMatchObject({ benchmark: 'lisa-reason', honourIgnore: true });
    expect(recordedResults(file)).toEqual(results);
    const opened = await openEvaluatedSet('reason_seg', DATA, split, { honourIgnore: true });
    const judged = opened.images.map((image, i) => {
      const [target, ...more] = opened.targets(image) as [EvaluatedTarget];
      const [record, ...others] = images[i]?.records ?? [];
      expect([more.length, others.length]).toEqual([0, 0]);
      const { mask = null, height = 0, width = 0, wording } = record ?? {};
      expect(mask).not.toBeNull();
      expect(wording).toBe(target.form === 'reason-sentence' ? 'sentence' : 'phrase');
      const drawn = decodeMask(rleFromString(mask ?? '', height, width));
      return { wording, overlap: maskOverlap(drawn, target.mask, target.ignored) };
    });
    const figuresOf = (wordings: readonly string[]): ReturnType<typeof lisaFigures> =>
      lisaFigures(judged.filter(({ wording = '' }) => wordings.includes(wording)).map(({ overlap }) => overlap));
    const { gIoU, cIoU } = figuresOf(['phrase', 'sentence']);
    const [short, long] = [figuresOf(['phrase']), figuresOf(['sentence'])];
    expect(results[0]?.figures).toEqual({
      ...{ gIoU, cIoU, gIoU_short: short['gIoU'], cIoU_short: short['cIoU'] },
      ...{ gIoU_long: long['gIoU'], cIoU_long: long['cIoU'] },
    });
    const page = readFileSync(join(scratch, `reason_seg-${split}`, 'report.md'), 'utf8');
    expect(page).toContain('gIoU-short');
    expect(page).toContain('the tables are of GSVA');
  });

  test('asks by the first instruction alone, in its own case', () => {
    const [image] = recordsOf('reason_seg', 'val').images;
    const question = '<image>\n which shape would roll down a hill – résumé? Please output segmentation mask.';
    expect(image?.replies).toEqual([{ protocol: 'strict', question, answer: '[SEG].' }]);
  });
});

test('RefCOCO: sentences in lower case with their dots, masks however small', async () => {
  const { results, asked, images } = await run('refcoco', 'val');
  expect(recordsOf('refcoco', 'val').header).toMatchObject({ benchmark: 'lisa-res', honourIgnore: false });
  expect(asked).toBe(
    'strict: as trained, “What is {} in this image? Please output segmentation mask.” – “Sure, [SEG].”',
  );
  const opened = await openEvaluatedSet('refcoco', DATA, 'val', { honourIgnore: false, asWritten: true });
  const records = images.flatMap((image) => image.records);
  const expressions = opened.images.flatMap((image) => image.expressions.map(({ text }) => text));
  expect(records.map(({ expression }) => expression)).toEqual(expressions);
  expect(records.every(({ mask }) => mask !== null)).toBe(true);
  expect(results[0]?.figures).toEqual(lisaFigures(records));
});
