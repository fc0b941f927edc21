/** `gsva eval --dataset …`: every kind of benchmark from the command line, on a small model and miniatures of the sets. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEngine } from '../../src/engine/engine.js';
import { readWholeRun } from '../../src/evaluation/records/record-file.js';
import { fixture } from '../helpers/fixtures.js';
import { type CliResult, runCli } from '../helpers/run-cli.js';
import { SMALL_TEXT, TOKENIZER_DIR } from '../helpers/small-experiment.js';
import { smallModel } from '../helpers/small-model.js';
import { writeModel } from '../helpers/model-folder.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-benchmarks-'));
const at = (...parts: string[]): string => join(scratch, ...parts);
const DATA = fixture('datasets', 'data');

const cli = (...argv: string[]): Promise<CliResult> => runCli([...argv, '--engine', 'wasm']);
const evaluate = (...more: string[]): Promise<CliResult> =>
  cli('eval', '--model', at('model'), '--data', DATA, '--limit', '2', ...more);
const json = async (result: Promise<CliResult>): Promise<Record<string, unknown>> => {
  const { code, stdout, stderr } = await result;
  expect([code, stderr]).toEqual([0, expect.not.stringContaining('unexpected error')]);
  return JSON.parse(stdout) as Record<string, unknown>;
};
const lastLine = ({ stderr }: CliResult): string => stderr.trimEnd().split('\n').at(-1) ?? '';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
  mkdirSync(at('model'));
  const gsva = smallModel(5, SMALL_TEXT);
  const meta = { conversation: 'plain', stage: 'gsva', description: 'small and random', details: {} };
  await writeModel(at('model'), gsva, { meta, tokenizerDir: TOKENIZER_DIR });
  gsva.dispose();
});
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

describe('gsva eval --dataset', () => {
  test.each(['voc20', 'voc21', 'pc59'])('%s: classes of an open vocabulary, one at a time', async (dataset) => {
    const data = ['--data', fixture('ovs', 'data'), '--dataset', dataset, '--json'];
    const answer = await json(cli('eval', '--model', at('model'), ...data));
    expect(answer).toMatchObject({ dataset, split: 'val', images: 2, expressions: dataset === 'voc20' ? 3 : 5 });
    expect(Object.keys(answer).slice(0, 3)).toEqual(['mIoU', 'cIoU', 'T_acc']);
  });

  test.each([
    [
      'refcoco+',
      'val',
      ['cIoU', 'gIoU', 'Prec@0.5', 'T_acc'],
      /2 images were measured, refcoco\+ val as published has 1,500/,
    ],
    [
      'refzom',
      'test',
      ['oIoU', 'mIoU', 'Acc', 'mIoU_as_reported', 'N_acc', 'T_acc'],
      /only the first 2 of 3 images were measured/,
    ],
    [
      'reason_seg',
      'val',
      ['gIoU', 'cIoU', 'T_acc'],
      /2 images were measured, reason.{1,2}seg val as published has 200/,
    ],
    ['ade20k', 'validation', ['mIoU', 'cIoU', 'T_acc'], /only the first 2 of 3 images were measured/],
  ])(
    '%s: its figures, its records, and why no table of the paper stands next to two images',
    async (dataset, split, figures, table) => {
      const [records, report] = [at(`${dataset}.jsonl`), at(`report-${dataset}`)];
      const protocols = ['--protocol', 'strict', 'reference'];
      const answer = await json(evaluate('--dataset', dataset, ...protocols, '--records', records, '--json'));
      expect(answer).toMatchObject({ dataset, split, images: 2 });
      expect(Object.keys(answer).slice(0, figures.length)).toEqual(figures);
      expect(readWholeRun(records).header).toMatchObject({ dataset, split, question: 'default' });
      const written = await cli('report', 'write', records, '--data', DATA, '--out', report);
      expect(written).toMatchObject({ code: 0 });
      expect(readFileSync(join(report, 'report.md'), 'utf8')).toMatch(table);
      const compared = await json(cli('report', 'compare', records, records, '--resamples', '100', '--json'));
      expect(JSON.stringify(compared)).toContain(`"figure":"${figures[0]}"`);
    },
  );

  test('other words, LISA’s rule and ignored regions are kept in the header', async () => {
    const records = at('where.jsonl');
    await json(evaluate('--question', 'where', '--minimum-pixels', '50', '--records', records, '--json'));
    expect(readWholeRun(records).header).toMatchObject({ benchmark: 'gres', question: 'where', minimumPixels: 50 });
    expect(readWholeRun(records).images[0]?.replies[0]?.question).toContain('Where are ');
    const resumed = await evaluate('--records', records, '--resume');
    expect(lastLine(resumed)).toMatch(/its question is "where", now it is "default"/);
    const ignoring = at('ignore.jsonl');
    await json(evaluate('--dataset', 'reason_seg', '--honour-ignore', '--records', ignoring, '--json'));
    expect(readWholeRun(ignoring).header.honourIgnore).toBe(true);
  });

  test('a damaged picture stops the run with its name, and is counted with --skip-bad', async () => {
    const broken = at('broken');
    cpSync(DATA, broken, { recursive: true });
    writeFileSync(join(broken, 'ade20k', 'annotations', 'validation', 'ADE_val_00000000.png'), 'no picture');
    const run = (...more: string[]): Promise<CliResult> =>
      cli('eval', '--model', at('model'), '--data', broken, '--dataset', 'ade20k', ...more);
    const stopped = await run();
    expect(stopped.code).toBe(1);
    expect(lastLine(stopped)).toContain('ADE_val_00000000.png');
    const skipped = await run('--skip-bad');
    expect(skipped.code).toBe(0);
    expect(skipped.stdout).toMatch(/left out of the figures: 1 images, 0 expressions \(bad image: 1\)/);
    expect(skipped.stderr).toMatch(/left out: ADE_val_00000000\.jpg: .*not a PNG file/);
    expect(await json(run('--skip-bad', '--json'))).toMatchObject({ images: 3, refused: { images: 1 } });
  });

  test.each([
    [['--dataset', 'cocostuff'], /--dataset must be one of refclef, .*not "cocostuff"/],
    [['--dataset', 'refcocog', '--split', 'testA'], /--split must be one of train, val, test, not "testA"/],
    [
      ['--dataset', 'ade20k', '--question', 'where'],
      /--question applies to datasets with referring expressions; ade20k defines its own/,
    ],
    [['--honour-ignore'], /--honour-ignore applies to reason_seg; grefcoco has no ignored regions/],
  ])('%s is refused', async (argv, message) => {
    const result = await evaluate(...argv);
    expect(result.code).toBe(2);
    expect(lastLine(result)).toMatch(message);
  });
});
