/** `gsva report compare` of two trainings: configurations key by key, the course, figures at the end, curves together. */
import { afterAll, describe, expect, test } from '@jest/globals';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { configChanges, configDifferences } from '../../src/training/watching/config-differences.js';
import { readTrainingFolder } from '../../src/workflows/compare.js';
import { learningRatePlots } from '../../src/workflows/training-summary.js';
import type { UpdateRecord } from '../../src/training/watching/run-log.js';
import { runCli } from '../helpers/run-cli.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-compare-trainings-'));
const at = (...parts: string[]): string => join(scratch, ...parts);
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

const RATE = 1e-3;

function updateOf(update: number, factor: number, warmup: number): UpdateRecord {
  const learningRate = update <= warmup ? (RATE * update) / warmup : RATE;
  const loss = factor / update;
  return {
    type: 'update',
    update,
    epoch: update / 10,
    learningRate,
    losses: { loss, ce: loss / 2 },
    gradNorm: 1,
    seconds: 2,
    elapsedSeconds: 2 * update,
    samplesPerSecond: 4,
    numTensors: 1,
  };
}

/** A run of ten updates with a validation at the end. */
function writeRun(name: string, config: object, factor: number, more: object[] = []): string {
  mkdirSync(at(name), { recursive: true });
  const records = [
    { type: 'header', stage: 'gsva', engine: 'wasm', ranks: 1, config },
    ...Array.from({ length: 10 }, (_, i) => updateOf(i + 1, factor, 4)),
    { type: 'validation', update: 10, epoch: 1, metrics: { gIoU: factor / 10, N_acc: null }, seconds: 1, isBest: true },
    ...more,
  ];
  writeFileSync(at(name, 'log.jsonl'), `${records.map((record) => JSON.stringify(record)).join('\n')}\n`);
  return at(name);
}

const config = (seed: number, more: object = {}): object => ({
  data: { dir: 'data/synth', sets: ['a', 'b'] },
  training: { seed, schedule: { learningRate: RATE, warmupUpdates: 4 } },
  ...more,
});
const END = { type: 'end', update: 10, reason: 'time', elapsedSeconds: 75, best: null };
const a = writeRun('first', config(1), 1, [END]);
const b = writeRun('second', config(2, { start: 'checkpoints/x' }), 2);
const lastLine = (stderr: string): string => stderr.trimEnd().split('\n').at(-1) ?? '';

test('a configuration that a resume has changed is named with its update', () => {
  const resume = (update: number, seed: number): object => ({ type: 'resume', update, config: config(seed) });
  const path = writeRun('changed', config(1), 1, [resume(4, 1), resume(7, 5), END]);
  expect(configChanges(readTrainingFolder(path).history)).toBe('at update 7: training.seed 1 → 5');
  expect(configChanges(readTrainingFolder(a).history)).toBe('');
});

describe('gsva report compare', () => {
  test('two trainings: what differs, how they went, figures, and a page with curves over each other', async () => {
    const { code, stdout } = await runCli(['report', 'compare', a, b, '--out', at('page')]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/ training\.seed +1 +2\n/);
    expect(stdout).toMatch(/ start +absent +"checkpoints\/x"\n4 keys agree\./);
    expect(stdout).not.toContain('training.schedule');
    expect(stdout).toMatch(/ Time +1 min 15 s +20 s\n/);
    expect(stdout).toMatch(/ Ended +the time was over +no end in its log: killed, or still running\n/);
    expect(stdout).toMatch(/ last: update 10 +gIoU +0\.1000 +0\.2000 +\+0\.1000\n/);
    expect(stdout).toMatch(/ last: update 10 +N-acc +– +– +–\n/);

    const html = readFileSync(at('page', 'report.html'), 'utf8');
    expect(html).not.toContain('<script');
    expect(html.match(/(?:src|href)="/g)).toBeNull();
    const titles = [...html.matchAll(/aria-label="([^"]*)"/g)].map((match) => match[1]);
    expect(titles).toEqual([
      'Training loss',
      'Training loss, ce',
      'Training loss by time',
      'Validation, gIoU',
      'Validation, N-acc',
      'Learning rate',
    ]);
    expect(html.match(/a: first<\/text>/g)).toHaveLength(titles.length);
    expect(html.match(/b: second<\/text>/g)).toHaveLength(titles.length);
    const markdown = readFileSync(at('page', 'report.md'), 'utf8');
    for (const [, link] of markdown.matchAll(/\]\((\S+\.svg)\)/g))
      expect(existsSync(at('page', link ?? ''))).toBe(true);
    expect(markdown).toContain('| training.seed | 1 | 2 |');
    const json = JSON.parse(readFileSync(at('page', 'report.json'), 'utf8')) as Record<string, unknown>;
    expect(json).toMatchObject({
      sameKeys: 4,
      config: [
        { key: 'training.seed', a: '1', b: '2' },
        { key: 'start', a: null },
      ],
    });
  });

  test('the log itself may be named; a run and itself agree in every key', async () => {
    const { code, stdout } = await runCli(['report', 'compare', a, join(a, 'log.jsonl'), '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ config: [], sameKeys: 5 });
  });

  test('mixtures and what is neither are refused by a sentence', async () => {
    writeFileSync(at('records.jsonl'), '{"kind":"gsva-records"}\n');
    mkdirSync(at('first', 'last'));
    mkdirSync(at('empty'));
    writeRun('begun', config(1), 1);
    writeFileSync(at('begun', 'log.jsonl'), '{"type":"header"}\n');
    for (const [pair, message] of [
      [
        [a, at('records.jsonl')],
        /first is the folder of a training, .*records\.jsonl is a file of records\. Name the folders/,
      ],
      [[at('records.jsonl'), b], /records\.jsonl is a file of records, .*second is the folder of a training/],
      [[a, at('first', 'last')], /last has no log\.jsonl.*It lies in the folder of a training: name .*first\./],
      [[a, at('empty')], /empty has no log\.jsonl.*Name the folder that a training was given as --out/],
      [[a, at('begun')], /log\.jsonl has no update yet/],
      [[a, at('nowhere')], /nowhere does not exist/],
    ] as const) {
      const { code, stdout, stderr } = await runCli(['report', 'compare', ...pair, '--out', at('never')]);
      expect([code, stdout]).toEqual([1, '']);
      expect(lastLine(stderr)).toMatch(message);
    }
    expect(existsSync(at('never'))).toBe(false);
  });
});

test('configurations are compared leaf by leaf, a list as one', () => {
  const found = configDifferences({ a: { b: 1, c: [1, 2] }, d: {} }, { a: { b: 1, c: [1, 3] }, e: null });
  expect(found).toEqual({
    same: 1,
    differ: [
      { key: 'a.c', a: '[1,2]', b: '[1,3]' },
      { key: 'd', a: '{}', b: null },
      { key: 'e', a: null, b: 'null' },
    ],
  });
});

test('the learning rate is drawn as it was, its warm-up marked and, where it is short, once more by itself', () => {
  const updates = Array.from({ length: 1000 }, (_, i) => updateOf(i + 1, 1, 20));
  const [whole, zoomed, ...others] = learningRatePlots([{ name: '', updates, validations: [] }], 20);
  expect(others).toEqual([]);
  expect(whole).toMatchObject({ isExact: true, yRange: 'zero', bands: [{ from: 0, to: 20, name: 'warm-up' }] });
  expect(whole?.series[0]?.points).toHaveLength(1000);
  expect(zoomed?.series[0]?.points).toHaveLength(40);
  expect(learningRatePlots([{ name: '', updates, validations: [] }], 200)).toHaveLength(1);
  expect(learningRatePlots([{ name: '', updates, validations: [] }], null)[0]?.bands).toEqual([]);
});
