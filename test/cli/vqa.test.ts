/** `gsva vqa` and `gsva data synth --mixture` from the command line, on a small random model. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
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
