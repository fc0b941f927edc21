/**
 * `gsva train --tensorboard`: curves and pictures of validation samples; the training itself is not changed by it. Its
 * summary: one page that loads nothing.
 */
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { writeSynthDataset } from '../../src/synthetic/writer.js';
import { readImage } from '../../src/io/image/image-file.js';
import { readRunLog } from '../../src/training/watching/run-log.js';
import { readEvents } from '../helpers/event-reader.js';
import { runCli } from '../helpers/run-cli.js';
import { smallConfig, writeConfig } from '../helpers/small-experiment.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-cli-tensorboard-'));
const at = (...parts: string[]): string => join(scratch, ...parts);
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

test('writes losses, figures and pictures; losses are those of a run without', async () => {
  await writeSynthDataset(at('data'), { seed: 1, trainImages: 4, valImages: 2, testAImages: 0, testBImages: 0 });
  const config = writeConfig(at('run.json5'), smallConfig(at('data')));
  const train = async (out: string, ...more: string[]): Promise<unknown[]> => {
    const result = await runCli(['train', '--config', config, '--out', at(out), ...more, '--engine', 'wasm']);
    expect(result).toMatchObject({ code: 0 });
    return readRunLog(at(out, 'log.jsonl')).updates.map(({ losses, gradNorm }) => [losses, gradNorm]);
  };
  const plain = await train('plain');
  expect(await train('watched', '--tensorboard', at('events', 'watched'))).toEqual(plain);
  expect(readdirSync(at('watched'))).toEqual(readdirSync(at('plain')));

  const [file = '', ...others] = readdirSync(at('events', 'watched'));
  expect(others).toEqual([]);
  const events = readEvents(readFileSync(at('events', 'watched', file)));
  expect(events.filter(({ scalars }) => 'loss/total' in scalars).map(({ step }) => step)).toEqual([1, 2, 3]);
  const figures = events.find(({ scalars }) => 'validation/gIoU' in scalars);
  expect(figures?.step).toBe(3);
  const pictures = events.flatMap((event) => Object.entries(event.pictures));
  expect(pictures.map(([tag]) => tag)).toEqual(['samples/1', 'samples/2']);
  for (const [, { png, size }] of pictures) {
    const { height, width } = await readImage(png);
    expect(size).toEqual([height, width]);
  }

  const page = readFileSync(at('watched', 'summary.html'), 'utf8');
  for (const text of [
    'Training: a small run',
    '3 (all updates made)',
    'first, best, last: update 3',
    'Validation',
    'Speed',
  ]) {
    expect(page).toContain(text);
  }
  expect(page.match(/<image id="[^"]*" href="data:image\/jpeg;base64,/g)).toHaveLength(2);
  expect(page).not.toMatch(/<script|src="http|href="http/);
});
