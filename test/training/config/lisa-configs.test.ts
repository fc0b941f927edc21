/** LISA's configurations: the published values, and a tiny run whose loss falls and whose model is LISA's. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { targetFacts } from '../../../src/data/facts.js';
import { Random } from '../../../src/random.js';
import { readExperimentConfig } from '../../../src/training/config/experiment-config.js';
import { systemNamed } from '../../../src/systems/index.js';
import { packagePath } from '../../../src/program.js';
import { runCli } from '../../helpers/run-cli.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-lisa-configs-'));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

const DIR = packagePath('configs', 'lisa');

test('every configuration is of LISA, with its tokens, lengths and shares', async () => {
  const names = readdirSync(DIR).filter((name) => name.endsWith('.json5'));
  expect(names.sort()).toEqual(['13b-reason-seg.json5', '13b.json5', '7b-reason-seg.json5', '7b.json5', 'tiny.json5']);
  for (const name of names.filter((each) => each !== 'tiny.json5')) {
    const config = readExperimentConfig(join(DIR, name), [], { forPlan: true });
    const { model, maxLength, data, training } = config;
    expect(model.system).toBe('lisa');
    const { ids } = (await systemNamed(model.system, name)).vocabulary(model, {});
    expect(ids.map(({ id }) => id)).toEqual([32000, 32001, 32002]);
    expect(model.llm).toMatchObject({ vocabSize: 32003, hiddenSize: name.startsWith('7b') ? 4096 : 5120 });
    expect([maxLength, training.batchSize, training.accumulation]).toEqual([257, 2, 10]);
    if (data.kind === 'mixture') expect(data.weights).toEqual({ sem_seg: 9, refer_seg: 3, vqa: 3, reason_seg: 1 });
    else expect(data).toMatchObject({ kind: 'epochs', sets: ['reason_seg'] });
  }
});

test.each([
  [[], true],
  [[['explanationOnly', -1]], false],
] as const)('explanationOnly %j: answers explain: %s', async (overrides, explains) => {
  const config = readExperimentConfig(join(DIR, '7b-reason-seg.json5'), overrides, { forPlan: true });
  const dialogue = (await systemNamed('lisa', 'a test')).dialogue(config.model, config);
  const mask = { data: new Uint8Array(6).fill(1), height: 2, width: 3 };
  const facts = { ...targetFacts('reason_seg', mask, [{ text: 'a bar', wording: 'expression', mask }]) };
  const answers = Array.from({ length: 200 }, (_, seed) =>
    dialogue
      .lessons({ ...facts, explanation: 'It is long.' }, new Random(seed))
      .map(({ turns }) => turns[0]?.assistant),
  );
  expect(answers.flat().some((answer) => answer?.includes('It is long.'))).toBe(explains);
});

test('the tiny configuration trains: the loss falls, and the model is of LISA', async () => {
  const [data, run] = [join(scratch, 'data'), join(scratch, 'run')];
  const sizes = ['--train', '8', '--val', '2', '--testA', '1', '--testB', '1'];
  expect(await runCli(['data', 'synth', '--out', data, ...sizes])).toMatchObject({ code: 0 });
  const schedule = ['totalUpdates=6', 'warmupUpdates=2', 'maxMinutes=null'].map((set) => `training.schedule.${set}`);
  const others = [`data.dir=${data}`, 'data.validationImages=1', 'training.batchSize=2', 'training.validateEvery=0'];
  const sets = [...schedule, ...others, 'training.checkpointEvery=6', 'training.bestMetric=null'];
  const trained = await runCli(['train', '--config', join(DIR, 'tiny.json5'), '--out', run, '--set', ...sets]);
  expect(trained).toMatchObject({ code: 0 });
  const lines = readFileSync(join(run, 'log.jsonl'), 'utf8').trim().split('\n');
  const losses = lines.flatMap((line) => (JSON.parse(line) as { losses?: { loss: number } }).losses?.loss ?? []);
  const mean = (some: readonly number[]): number => some.reduce((sum, loss) => sum + loss, 0) / some.length;
  expect(mean(losses.slice(-2))).toBeLessThan(mean(losses.slice(0, 2)));
  const config = JSON.parse(readFileSync(join(run, 'last', 'config.json'), 'utf8')) as Record<string, unknown>;
  expect(config).toMatchObject({ system: 'lisa', tokens: { seg: 600, im_start: 601, im_end: 602 } });
  expect(config['tokens']).not.toHaveProperty('rej');
}, 300_000);
