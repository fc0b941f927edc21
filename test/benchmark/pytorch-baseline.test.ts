/** The PyTorch baseline's answer: what is asked, what is made of it, what is refused. */
import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { readBenchConfig } from '../../src/benchmark/bench-config.js';
import { type Baseline, measureBaseline } from '../../src/benchmark/pytorch-baseline.js';
import { UserError } from '../../src/errors.js';

const config = readBenchConfig('configs/bench-small/config.json5');

/** Measures with a program that prints `answer`. */
function measured(answer: string, seen: string[][] = [], weights: string | null = null): Promise<Baseline> {
  const parts = ['CLIP tower', 'generate'];
  const request = { python: 'py', script: 's.py', config, weights, parts, runs: 3, threads: 2 };
  return measureBaseline(request, (command, args) => {
    const file = args[args.indexOf('--workload-json') + 1] ?? '';
    seen.push([command, ...args], [readFileSync(file, 'utf8')]);
    return Promise.resolve(answer);
  });
}

const ANSWER = {
  versions: 'PyTorch 1, transformers 2',
  peakRss: 1000,
  parts: { 'CLIP tower': { runs: [3, 1, 2] }, generate: { runs: [4, 4, 7] } },
};

test('asks for the same workload, and takes median, least and most of every part', async () => {
  const seen: string[][] = [];
  const { versions, peakRss, parts } = await measured(JSON.stringify(ANSWER), seen);
  expect([versions, peakRss]).toEqual(['PyTorch 1, transformers 2', 1000]);
  expect(parts.get('CLIP tower')).toEqual({ runs: [3, 1, 2], median: 2, min: 1, max: 3 });
  expect(parts.get('generate')).toMatchObject({ median: 4, min: 4, max: 7 });
  const [command = [], [file = ''] = []] = seen;
  expect(command.join(' ')).toMatch(/^py s\.py .*--runs 3 --threads 2 --only CLIP tower;generate$/);
  expect(JSON.parse(file)).toMatchObject({ workload: config.workload });
});

test('a script that takes weights is handed ours, and says which parts it does not have', async () => {
  const seen: string[][] = [];
  const answer = { ...ANSWER, parts: { generate: { runs: [1] } }, notMeasured: ['CLIP tower'] };
  const { parts } = await measured(JSON.stringify(answer), seen, 'own.safetensors');
  expect([...parts.keys()]).toEqual(['generate']);
  expect(seen[0]?.join(' ')).toContain('--weights own.safetensors');
});

test.each([
  ['no JSON', 'Traceback', /printed no JSON but: Traceback/],
  ['a part left out', JSON.stringify({ ...ANSWER, parts: { generate: { runs: [1] } } }), /"CLIP tower" is missing/],
  ['times that are none', JSON.stringify({ ...ANSWER, parts: { 'CLIP tower': { runs: ['fast'] } } }), /runs/],
])('%s is refused', async (_, answer, message) => {
  await expect(measured(answer)).rejects.toThrow(UserError);
  await expect(measured(answer)).rejects.toThrow(message);
});
