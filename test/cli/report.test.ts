/** eval --records → report merge, compare, calibrate, write: on a small model and a handful of images. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeSynthDataset } from '../../src/synthetic/writer.js';
import { startEngine } from '../../src/engine/engine.js';
import { readRecords, readWholeRun } from '../../src/evaluation/records/record-file.js';
import { openModelDirectory } from '../../src/checkpoints/checkpoint-directory.js';
import { type CliResult, runCli } from '../helpers/run-cli.js';
import { SMALL_TEXT, TOKENIZER_DIR } from '../helpers/small-experiment.js';
import { smallModel } from '../helpers/small-model.js';
import { writeModel } from '../helpers/model-folder.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-report-verbs-'));
const at = (...parts: string[]): string => join(scratch, ...parts);
const data = at('data');
const IMAGES = 5;

const cli = (...argv: string[]): Promise<CliResult> => runCli([...argv, '--engine', 'wasm']);
const evaluate = (...more: string[]): Promise<CliResult> =>
  cli('eval', '--model', at('model'), '--data', data, ...more);
const json = async (result: Promise<CliResult>): Promise<Record<string, unknown>> => {
  const { code, stdout, stderr } = await result;
  expect([code, stderr]).toEqual([0, expect.not.stringContaining('unexpected error')]);
  return JSON.parse(stdout) as Record<string, unknown>;
};
const lastLine = ({ stderr }: CliResult): string => stderr.trimEnd().split('\n').at(-1) ?? '';
const timeless = (answer: object): object => ({ ...answer, seconds: 0 });

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
  await writeSynthDataset(data, { seed: 3, trainImages: 1, valImages: IMAGES, testAImages: 2, testBImages: 0 });
  for (const [name, seed] of [
    ['model', 2],
    ['other', 3],
  ] as const) {
    mkdirSync(at(name));
    const gsva = smallModel(seed, SMALL_TEXT);
    const meta = { conversation: 'plain', stage: 'gsva', description: 'small and random', details: { seed } };
    await writeModel(at(name), gsva, { meta, tokenizerDir: TOKENIZER_DIR });
    gsva.dispose();
  }
});
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

describe('gsva eval --records', () => {
  test('keeps every result; an interrupted file is continued with the same figures', async () => {
    const whole = await json(evaluate('--records', at('val.jsonl'), '--json'));
    const { header, images } = readWholeRun(at('val.jsonl'));
    expect(header).toMatchObject({ dataset: 'grefcoco', split: 'val', protocols: ['strict'], images: IMAGES });
    expect(header.weightsDigest).toMatch(/^[0-9a-f]{64}$/);
    expect(images.flatMap(({ records }) => records)).toHaveLength(Number(whole['expressions']));

    const again = await evaluate('--records', at('val.jsonl'));
    expect(again).toMatchObject({ code: 1, stdout: '' });
    expect(lastLine(again)).toMatch(/val\.jsonl is there already.*--resume/);

    const text = readFileSync(at('val.jsonl'), 'utf8');
    writeFileSync(at('cut.jsonl'), text.slice(0, text.indexOf('"kind":"image","image":3') + 5));
    const resumed = await evaluate('--records', at('cut.jsonl'), '--resume', '--json');
    expect(resumed.stderr).toContain('cut.jsonl: 3 images are done already');
    expect(timeless(JSON.parse(resumed.stdout) as object)).toEqual(timeless(whole));
    expect(readWholeRun(at('cut.jsonl')).images.map(({ records }) => records)).toEqual(
      images.map(({ records }) => records),
    );

    const other = await cli('eval', '--model', at('other'), '--data', data, '--records', at('cut.jsonl'), '--resume');
    expect(other.code).toBe(1);
    expect(lastLine(other)).toMatch(/cut\.jsonl is of another run: its weightsDigest is/);
  });

  test('without any of it nothing is written; options that need each other', async () => {
    for (const [argv, message] of [
      [['--resume'], /--resume goes on with a file: name it by --records/],
      [['--shard', '0/2'], /--shard needs --records/],
      [['--shard', '2/2', '--records', at('x')], /--shard takes INDEX\/COUNT with INDEX from 0 to COUNT - 1/],
      [['--shard', 'half', '--records', at('x')], /not "half"/],
      [['--shard', '0/2', '--records', at('x'), '--report', at('r')], /--report is of a whole run/],
      [['--reject-threshold', '2'], /--reject-threshold must be from 0 to 1/],
    ] as const) {
      const result = await evaluate(...argv);
      expect(result.code).toBe(2);
      expect(lastLine(result)).toMatch(message);
    }
    expect(existsSync(at('x'))).toBe(false);
  });
});

describe('gsva report', () => {
  test('merge: shards give the figures of one process', async () => {
    const protocols = ['--protocol', 'strict', 'reference'];
    const whole = await json(evaluate(...protocols, '--json'));
    const shards = [0, 1].map((index) => at(`shard-${index}.jsonl`));
    for (const [index, path] of shards.entries()) {
      expect(await evaluate(...protocols, '--records', path, '--shard', `${index}/2`)).toMatchObject({ code: 0 });
    }
    const merged = await json(cli('report', 'merge', ...[...shards].reverse(), '--out', at('merged.jsonl'), '--json'));
    const [strict, reference] = merged['results'] as Record<string, unknown>[];
    for (const key of ['gIoU', 'cIoU', 'N_acc', 'T_acc', 'images', 'expressions']) {
      expect([key, strict?.[key]]).toEqual([key, whole[key]]);
      expect([key, reference?.[key]]).toEqual([key, (whole['others'] as Record<string, unknown>[])[0]?.[key]]);
    }
    expect(readWholeRun(at('merged.jsonl')).header.shard).toEqual({ index: 0, count: 1 });
    const twice = await cli('report', 'merge', ...shards, '--out', at('merged.jsonl'));
    expect(lastLine(twice)).toMatch(/merged\.jsonl is there already/);
    const missing = await cli('report', 'merge', shards[0] ?? '', '--out', at('half.jsonl'));
    expect(missing.code).toBe(1);
    expect(lastLine(missing)).toMatch(/of 2 shards 1 is missing/);
    expect(existsSync(at('half.jsonl'))).toBe(false);
  });

  test('compare: two models; a run and itself', async () => {
    await cli('eval', '--model', at('other'), '--data', data, '--records', at('other.jsonl'));
    const { code, stdout } = await cli('report', 'compare', at('val.jsonl'), at('other.jsonl'), '--resamples', '200');
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /strict: 5 images, \d+ expressions\n +a +b +b − a +95 % interval\n gIoU +0\.\d{4} +0\.\d{4} +[+−]0\.\d{4} +[+−]\S+ to [+−]/,
    );
    const same = await json(cli('report', 'compare', at('val.jsonl'), at('val.jsonl'), '--json', '--resamples', '100'));
    const [comparison] = same['comparisons'] as {
      figures: { difference: number | null; interval: number[] | null }[];
    }[];
    for (const { difference, interval } of comparison?.figures ?? []) {
      if (difference !== null) expect([difference, interval]).toEqual([0, [0, 0]]);
    }
    await evaluate('--limit', '3', '--records', at('three.jsonl'));
    const refused = await cli('report', 'compare', at('val.jsonl'), at('three.jsonl'));
    expect(lastLine(refused)).toMatch(/images is 5 and 3/);
  });

  test('calibrate --store: kept in meta.json and used by segment and eval; refused for other weights and test splits', async () => {
    const found = await json(cli('report', 'calibrate', at('val.jsonl'), '--json'));
    expect(found).toMatchObject({ protocol: 'strict', split: 'val', stored: null });
    const { threshold } = found['best'] as { threshold: number };
    const model = at('calibrated');
    cpSync(at('model'), model, { recursive: true });
    const { code, stdout } = await cli('report', 'calibrate', at('val.jsonl'), '--store', model);
    expect(code).toBe(0);
    expect(stdout).toContain(`meta.json: rejectThreshold ${threshold}`);
    expect(openModelDirectory(model).meta).toEqual({
      ...openModelDirectory(at('model')).meta,
      rejectThreshold: threshold,
    });

    const records = at('calibrated.jsonl');
    const calibrated = await json(cli('eval', '--model', model, '--data', data, '--records', records, '--json'));
    expect(calibrated['N_acc']).toBe((found['best'] as Record<string, unknown>)['N_acc']);
    expect(calibrated['T_acc']).toBe((found['best'] as Record<string, unknown>)['T_acc']);
    expect(readRecords(records).header.rejectThreshold).toBe(threshold);

    const image = readRecords(records).images[0]?.fileName ?? '';
    const path = join(data, 'refer_seg/images/mscoco/images/train2014', image);
    const asked = await json(
      cli('segment', '--model', model, '--image', path, '--expressions', 'red circle', '--json'),
    );
    const [result] = asked['results'] as { status: string; rejectProbability: number }[];
    expect(result?.status === 'rejected').toBe((result?.rejectProbability ?? NaN) >= threshold);

    const wrong = await cli('report', 'calibrate', at('val.jsonl'), '--store', at('other'));
    expect(lastLine(wrong)).toMatch(/measured with other weights than those of .*other/);
    await evaluate('--split', 'testA', '--records', at('testA.jsonl'));
    const onTest = await cli('report', 'calibrate', at('testA.jsonl'), '--store', model);
    expect(lastLine(onTest)).toMatch(/of the split testA; a threshold that is chosen there/);
  });

  test('write: the report of records, as eval --report has it', async () => {
    const { code, stdout } = await cli('report', 'write', at('val.jsonl'), '--data', data, '--out', at('report'));
    expect(code).toBe(0);
    expect(stdout.trim().split('\n')).toEqual([
      `measured on ${IMAGES} drawn images of the embedded benchmark, val`,
      join(at('report'), 'report.html'),
    ]);
    // None of the paper's figures, in whichever file.
    for (const name of ['report.html', 'report.md', 'report.json']) {
      const text = readFileSync(at('report', name), 'utf8');
      expect(text).toContain(`GSVA on ${IMAGES} drawn images of the embedded benchmark, val`);
      expect(text).toContain('No table of the paper is shown: the images are drawn scenes');
      for (const published of ['LISA-', 'ReLA', '63.32', '66.47']) expect(text).not.toContain(published);
    }
    const part = await evaluate('--limit', '3');
    expect(part.stdout).toContain(`measured on the first 3 of ${IMAGES} drawn images of the embedded benchmark, val\n`);
    await evaluate('--report', at('direct'));
    const analysisOf = (dir: string): unknown =>
      (JSON.parse(readFileSync(join(dir, 'report.json'), 'utf8')) as { analysis: unknown }).analysis;
    expect(analysisOf(at('report'))).toEqual(analysisOf(at('direct')));
    const shard = await cli('report', 'write', at('shard-0.jsonl'), '--data', data, '--out', at('never'));
    expect(lastLine(shard)).toMatch(/holds shard 0 of 2 alone/);
    expect(existsSync(at('never'))).toBe(false);
  });
});
