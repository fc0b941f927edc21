/** A model with one NaN, asked by every command: exit code 1, the part named, nothing written that looks like an answer. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GRefCoco } from '../../src/data/refer/refcoco.js';
import { writeSynthDataset } from '../../src/synthetic/writer.js';
import { startEngine } from '../../src/engine/engine.js';
import { runCli } from '../helpers/run-cli.js';
import { SMALL_TEXT, smallConfig, TOKENIZER_DIR, writeConfig } from '../helpers/small-experiment.js';
import { smallModel } from '../helpers/small-model.js';
import { spoiledModel } from '../helpers/spoiled-model.js';
import { writeModel } from '../helpers/model-folder.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-not-finite-'));
const at = (...parts: string[]): string => join(scratch, ...parts);
let image = '';

beforeAll(async () => {
  await startEngine({ engine: 'wasm' });
  await writeSynthDataset(at('data'), { seed: 1, trainImages: 5, valImages: 3, testAImages: 0, testBImages: 0 });
  image = GRefCoco.open(at('data'), 'val').images[0]?.path ?? '';
  mkdirSync(at('model'));
  const gsva = smallModel(2, SMALL_TEXT);
  const meta = { conversation: 'plain', stage: 'gsva', description: 'small and random' };
  await writeModel(at('model'), gsva, { meta, tokenizerDir: TOKENIZER_DIR });
  gsva.dispose();
  spoiledModel(at('model'), at('spoiled'), 'model.norm.weight', NaN);
});

afterAll(() => {
  rmSync(scratch, { recursive: true });
});

async function expectNamed(argv: readonly string[]): Promise<void> {
  const { code, stdout, stderr } = await runCli([...argv, '--engine', 'wasm']);
  expect(stderr).toContain("The first part that is not finite is the LLM's last norm: ");
  expect(stderr).toMatch(/model\.norm\.weight holds 1 NaN of 12 numbers, at \[3\]/);
  expect(stderr).toContain(`gsva.js inspect --stats ${at('spoiled', 'model.safetensors')} --match model.norm.weight`);
  expect([code, stdout]).toEqual([1, '']);
}

test.each(['ask', 'generate'])('segment --mode %s', async (mode) => {
  const out = at(`${mode}.png`);
  await expectNamed([
    ...['segment', '--image', image, '--model', at('spoiled'), '--expressions', 'red circle'],
    ...['--mode', mode, '--out', out],
  ]);
  expect(existsSync(out)).toBe(false);
});

test.each(['reference', 'strict', 'generate'])('eval by %s', async (protocol) => {
  const data = ['--data', at('data'), '--split', 'val'];
  await expectNamed(['eval', '--model', at('spoiled'), ...data, '--protocol', protocol, '--limit', '1']);
});

test('train: the first update stops, and names the part', async () => {
  const config = at('run.json5');
  writeConfig(config, { ...smallConfig(at('data')), start: at('spoiled') });
  const { code, stderr } = await runCli(['train', '--config', config, '--out', at('run'), '--engine', 'wasm']);
  expect(stderr).toMatch(/Training stopped in update 1: a loss is not a finite number/);
  expect(stderr).toContain("The first part that is not finite is the LLM's last norm: model.norm.weight holds 1 NaN");
  expect(code).toBe(1);
});
