/** `--feature-cache`: the same figures with and without it; training and evaluation find what the other has encoded. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeSynthDataset } from '../../src/synthetic/writer.js';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import { readRecords } from '../../src/evaluation/records/record-file.js';
import { readRunLog } from '../../src/training/watching/run-log.js';
import { type CliResult, runCli } from '../helpers/run-cli.js';
import { smallConfig, writeConfig } from '../helpers/small-experiment.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-feature-runs-'));
const at = (...parts: string[]): string => join(scratch, ...parts);
const config = at('run.json5');

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
  await writeSynthDataset(at('data'), { seed: 1, trainImages: 4, valImages: 0, testAImages: 0, testBImages: 0 });
  writeConfig(config, smallConfig(at('data')));
});
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

const NEVER = ['training.validateEvery=0', 'training.bestMetric=null', 'training.schedule.totalUpdates=4'];

async function train(name: string, ...more: string[]): Promise<CliResult> {
  const argv = ['train', '--config', config, '--out', at(name), '--engine', 'wasm', '--threads', '1'];
  const result = await runCli([...argv, '--set', ...NEVER, ...more]);
  expect(result).toMatchObject({ code: 0 });
  return result;
}

const losses = (name: string): unknown[] =>
  readRunLog(at(name, 'log.jsonl')).updates.map((update) => [update.losses, update.gradNorm]);

test('f32: bit for bit the run without a cache; the second run writes nothing', async () => {
  const before = tf.memory().numTensors;
  await train('plain');
  const cold = await train('cold', '--feature-cache', at('cache'));
  expect(cold.stderr).toMatch(/feature cache .*cache: 0 of \d+ images found \(0 bytes\), [48] entries written \(/);
  const warm = await train('warm', '--feature-cache', at('cache'));
  expect(warm.stderr).toMatch(
    /feature cache .*cache: (\d+) of \1 images found \(.*\), 0 entries written \(0 bytes\)\n/,
  );
  expect(losses('plain').length).toBe(4);
  expect(losses('cold')).toEqual(losses('plain'));
  expect(losses('warm')).toEqual(losses('plain'));
  expect(tf.memory().numTensors).toBe(before);
});

test('bf16: the same whether the images are cached or not, and close to f32', async () => {
  for (const name of ['cold16', 'warm16']) {
    await train(name, '--feature-cache', at('cache16'), '--feature-cache-dtype', 'bf16', '--feature-cache-gb', '0.1');
  }
  expect(losses('warm16')).toEqual(losses('cold16'));
  const lossOf = (name: string): number[] =>
    readRunLog(at(name, 'log.jsonl')).updates.map((update) => update.losses['loss'] ?? NaN);
  const exact = lossOf('plain');
  lossOf('cold16').forEach((loss, i) => {
    expect(Math.abs(loss - (exact[i] as number))).toBeLessThan(0.01 * (exact[i] as number));
  });
  expect(lossOf('cold16')).not.toEqual(exact);
});

test('is refused where it makes no sense', async () => {
  const argv = ['train', '--config', config, '--out', at('none'), '--engine', 'wasm'];
  const alone = await runCli([...argv, '--feature-cache-gb', '5']);
  expect([alone.code, alone.stderr]).toEqual([2, expect.stringContaining('need --feature-cache DIR')]);
  const scenes = "data={kind:'scenes',seed:1,scenes:4,itemsPerScene:1,validationScenes:1}";
  const base = await runCli([
    ...argv,
    ...['--set', 'stage=base-sam', scenes, ...NEVER],
    ...['--feature-cache', at('unused')],
  ]);
  expect([base.code, base.stderr]).toEqual([1, expect.stringMatching(/the stage base-sam trains them/)]);
  const whole = await runCli([
    ...['train', '--config', 'configs/tiny-self1e-3.json5', '--out', at('none'), '--engine', 'wasm'],
    ...['--set', 'start=checkpoints/tiny-self1e', 'training.schedule.warmupUpdates=0', ...NEVER],
    ...['--feature-cache', at('unused')],
  ]);
  expect([whole.code, whole.stderr]).toEqual([1, expect.stringMatching(/the stage grounding trains them/)]);
  expect(readdirSync(scratch)).not.toContain('unused');
});

test('gsva eval --feature-cache: the second evaluation encodes nothing, its figures are the same', async () => {
  const evaluate = (...more: string[]): Promise<CliResult> =>
    runCli(['eval', '--data', at('data'), '--split', 'train', '--engine', 'wasm', '--threads', '1', '--json', ...more]);
  const before = tf.memory().numTensors;
  let runs = 0;
  const figuresOf = ({ code, stdout }: CliResult): unknown => {
    expect(code).toBe(0);
    return { ...(JSON.parse(stdout) as object), seconds: 0 };
  };
  const plain = await evaluate();
  const cold = await evaluate('--feature-cache', at('eval-features'));
  const warm = await evaluate('--feature-cache', at('eval-features'));
  const bf16 = (): Promise<CliResult> =>
    evaluate(
      '--feature-cache',
      at('rounded'),
      '--feature-cache-dtype',
      'bf16',
      '--records',
      at(`bf16-${++runs}.jsonl`),
    );
  expect(figuresOf(cold)).toEqual(figuresOf(plain));
  expect(figuresOf(warm)).toEqual(figuresOf(plain));
  const [rounded, again] = [await bf16(), await bf16()];
  expect(figuresOf(again)).toEqual(figuresOf(rounded));
  // Scores are means over all pixels of a mask: they show the last bit of the features.
  const [one, two] = [1, 2].map((run) => readRecords(at(`bf16-${run}.jsonl`)).images.flatMap(({ records }) => records));
  expect(two).toEqual(one);
  expect(again.stderr).toMatch(/ 4 of 4 images found/);
  // An image has an entry for each encoder.
  expect(cold.stderr).toMatch(/ 0 of 4 images found .*, 8 entries written/);
  expect(warm.stderr).toMatch(/ 4 of 4 images found .*, 0 entries written/);
  expect(tf.memory().numTensors).toBe(before);
});

test('training and evaluation share the folder: each finds all 16 images that the other has encoded', async () => {
  const own = at('run-16.json5');
  await writeSynthDataset(at('data16'), { seed: 2, trainImages: 16, valImages: 0, testAImages: 0, testBImages: 0 });
  writeConfig(own, smallConfig(at('data16')));
  const start = `start=${JSON.stringify(at('first', 'last'))}`;
  const run = async (verb: string, cache: string, ...more: string[]): Promise<string> => {
    const common = ['--engine', 'wasm', '--threads', '1', '--feature-cache', at(cache)];
    const { code, stderr } = await runCli([verb, ...common, ...more]);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    return /\d+ of \d+ images found/.exec(stderr)?.[0] ?? stderr;
  };
  const trained = (name: string, cache: string, ...more: string[]): Promise<string> =>
    run('train', cache, '--config', own, '--out', at(name), '--set', ...NEVER, 'training.batchSize=4', ...more);
  const evaluated = (cache: string): Promise<string> =>
    run('eval', cache, '--model', at('first', 'last'), '--data', at('data16'), '--split', 'train');
  expect(await trained('first', 'shared')).toBe('0 of 16 images found');
  expect(await evaluated('shared')).toBe('16 of 16 images found');
  expect(await evaluated('reversed')).toBe('0 of 16 images found');
  expect(await trained('second', 'reversed', start)).toBe('16 of 16 images found');
});

test('a folder of an older kind is refused, and left as it is', async () => {
  mkdirSync(at('old', 'ab'), { recursive: true });
  const entry = at('old', 'ab', `${'ab'.repeat(32)}.entry`);
  writeFileSync(entry, 'entry');
  const { code, stderr } = await runCli([
    'eval',
    '--data',
    at('data'),
    '--split',
    'train',
    '--feature-cache',
    at('old'),
  ]);
  expect([code, stderr]).toEqual([
    1,
    expect.stringMatching(/old is a cache of an older kind.*delete the folder, or name/),
  ]);
  expect(readFileSync(entry, 'utf8')).toBe('entry');
});
