/** `gsva vqa` and `gsva data synth --mixture` from the command line, on a small random model. */
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import { Predictor } from '../../src/inference/predictor.js';
import { fixture } from '../helpers/fixtures.js';
import { runCli } from '../helpers/run-cli.js';
import { SMALL_TEXT, TOKENIZER_DIR } from '../helpers/small-experiment.js';
import { smallModel } from '../helpers/small-model.js';
import { writeModel } from '../helpers/model-folder.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-vqa-'));
const at = (...parts: string[]): string => join(scratch, ...parts);
const vqa = (...more: string[]) =>
  runCli(['vqa', '--model', at('model'), '--data', at('data'), '--engine', 'wasm', ...more]);

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

test('synth --mixture names the sets; vqa asks its questions and counts, by kind and in all; nothing leaks', async () => {
  const sizes = ['--train', '1', '--val', '0', '--testA', '0', '--testB', '0', '--mixture', '2'];
  const written = await runCli(['data', 'synth', '--out', at('data'), ...sizes]);
  expect(written.stdout).toContain('mapillary, refcoco, llava_instruct_150k, reason_seg, 2 + 1 images each');
  const before = tf.memory().numTensors;
  const { code, stdout } = await vqa('--json', '--limit', '5', '--max-tokens', '2');
  expect(code).toBe(0);
  expect(tf.memory().numTensors).toBe(before);
  const result = JSON.parse(stdout) as { questions: number; accuracy: number; categories: { questions: number }[] };
  expect(result.questions).toBe(5);
  expect(result.categories.reduce((sum, { questions }) => sum + questions, 0)).toBe(5);
  expect(result.accuracy).toBeGreaterThanOrEqual(0);
  expect((await vqa('--limit', '1', '--max-tokens', '1')).stdout).toMatch(/commonest answer\n.*\n all +1 /);
});

test.each([
  ['a picture outside of the folder', { image: '../x.jpg' }, 'a file name without a folder'],
  ['a reserved token', { text: '<image> what?' }, 'a question without reserved tokens'],
  ['no question', { text: ' ' }, 'a question without reserved tokens'],
  ['no answer', { answer: 3 }, 'expected a text'],
])('a list with %s is refused, place named', async (_, change, message) => {
  mkdirSync(at('bad', 'llava_dataset'), { recursive: true });
  const question = { question_id: 0, image: 'a.jpg', text: 'What?', answer: 'red', category: 'colour' };
  writeFileSync(
    at('bad', 'llava_dataset', 'questions_val.json'),
    JSON.stringify([question, { ...question, ...change }]),
  );
  const { code, stderr } = await runCli(['vqa', '--model', at('model'), '--data', at('bad'), '--engine', 'wasm']);
  expect(code).toBe(1);
  expect(stderr).toContain(message);
  expect(stderr).toContain('[1]');
});

test('a folder without questions says how to get some', async () => {
  mkdirSync(at('empty'), { recursive: true });
  const { code, stderr } = await runCli(['vqa', '--model', at('model'), '--data', at('empty'), '--engine', 'wasm']);
  expect([code, stderr]).toEqual([1, expect.stringContaining('gsva.js data synth --out FOLDER --mixture 600')]);
});

describe('sets in their published layouts', () => {
  const SHORT = ' Answer the question using a single word or phrase.';
  const ask = (set: string, ...more: string[]) =>
    runCli([
      ...['vqa', '--model', at('model'), '--data', fixture('vqa', 'data'), '--dataset', set, '--engine', 'wasm'],
      ...['--max-tokens', '1', ...more],
    ]);

  test.each([
    ['vqav2', SHORT, 'accuracy'],
    ['okvqa', SHORT, 'accuracy'],
    ['textvqa', SHORT, 'accuracy'],
    ['vizwiz', ` When the provided information is insufficient, respond with 'Unanswerable'.${SHORT}`, 'accuracy'],
    ['gqa', SHORT, 'accuracy'],
    ['pope', SHORT, 'F1'],
    ['mme', SHORT, 'total'],
  ])('%s: every question with its instruction, the figures next to Table 9', async (set, instruction, figure) => {
    const converse = jest.spyOn(Predictor.prototype, 'converse');
    const { code, stdout, stderr } = await ask(set, '--json');
    const asked = converse.mock.calls.map(([, question]) => question);
    converse.mockRestore();
    expect([code, stderr.includes('Error')]).toEqual([0, false]);
    const result = JSON.parse(stdout) as { questions: number; published: Record<string, unknown>[] };
    expect(asked).toHaveLength(result.questions);
    for (const question of asked) expect(question.endsWith(`?${instruction}`) || set === 'mme').toBe(true);
    for (const question of asked) expect(question.endsWith(instruction)).toBe(true);
    expect(result).toHaveProperty(figure);
    expect(result.published.map(({ method }) => method)).toContain('SELF1E-2B');
  });

  test('for people: figures by category, then the published ones and ours', async () => {
    const { stdout } = await ask('pope');
    expect(stdout).toMatch(/ random .*\n popular .*\n adversarial .*\n all /);
    expect(stdout).toMatch(
      /POPE, Table 9 +F1\n InternVL3-2B +89\.60[^]* this run, random\+popular\+adversarial, 6 questions /,
    );
    expect((await ask('mme')).stdout).toMatch(/Table 13 .*\n existence .* 190\.00 +195\.00/);
    const gqa = await ask('gqa', '--split', 'val');
    expect(gqa.code).toBe(0);
    expect((await ask('gqa', '--split', 'tset')).stderr).toMatch(/no split "tset".*testdev/);
  });

  test('an interrupted run goes on where its file ends, and no other run does', async () => {
    const file = at('replies.jsonl');
    const whole = await ask('vqav2', '--json', '--records', file);
    const text = readFileSync(file, 'utf8');
    const lines = text.trimEnd().split('\n');
    writeFileSync(file, `${lines.slice(0, 2).join('\n')}\n${lines[2]?.slice(0, 9) ?? ''}`);
    const converse = jest.spyOn(Predictor.prototype, 'converse');
    const resumed = await ask('vqav2', '--json', '--records', file, '--resume');
    expect(converse.mock.calls).toHaveLength(lines.length - 2);
    converse.mockRestore();
    expect(readFileSync(file, 'utf8')).toBe(text);
    const figuresOf = ({ stdout }: { stdout: string }) => ({ ...(JSON.parse(stdout) as object), seconds: 0 });
    expect(figuresOf(resumed)).toEqual(figuresOf(whole));
    expect((await ask('vqav2', '--records', file)).stderr).toMatch(/is there already/);
    expect((await ask('okvqa', '--records', file, '--resume')).stderr).toMatch(/its set is "vqav2", now it is "okvqa"/);
    writeFileSync(file, text.replace('"id":"', '"id":"x'));
    expect((await ask('vqav2', '--records', file, '--resume')).stderr).toMatch(/line 2 answers the question "x/);
    expect((await ask('vqav2', '--resume')).stderr).toMatch(/--resume needs --records/);
  });
});
