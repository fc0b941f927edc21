/** A benchmark's file is read strictly: the one that comes with the package, and mistakes by name. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import JSON5 from 'json5';
import { readBenchConfig } from '../../src/benchmark/bench-config.js';
import type { ModelConfig } from '../../src/systems/shared/model-config.js';
import { UserError } from '../../src/errors.js';

const FILE = 'configs/bench-small/config.json5';
const scratch = mkdtempSync(join(tmpdir(), 'gsva-bench-'));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

test('bench-small has the sizes that the figures in docs/benchmarks.md are for', () => {
  const { model, workload } = readBenchConfig(FILE);
  expect(workload).toMatchObject({ batch: 2, textTokens: 96, masks: 3, height: 480, width: 640 });
  expect((model as ModelConfig).sam.imageSize).toBeGreaterThanOrEqual(256);
});

type Json = Record<string, Record<string, unknown>>;

test.each([
  ['an unknown key', (json: Json) => ({ ...json, wokload: 1 }), /unknown key "wokload".*did you mean "workload"/],
  ['a key that is missing', ({ model, description }: Json) => ({ model, description }), /"workload" is missing/],
  ['no batch', (json: Json) => changed(json, { batch: 0 }), /"workload.batch" is 0/],
  ['half an image', (json: Json) => changed(json, { height: 480.5 }), /"workload.height" is 480.5/],
  [
    'more masks than the text has room for',
    (json: Json) => changed(json, { masks: 64 }),
    /"workload.textTokens" is 96/,
  ],
])('%s is refused by name', (_, change, message) => {
  const path = join(scratch, 'config.json5');
  writeFileSync(path, JSON.stringify(change(JSON5.parse<Json>(readFileSync(FILE, 'utf8')))));
  expect(() => readBenchConfig(path)).toThrow(UserError);
  expect(() => readBenchConfig(path)).toThrow(message);
});

function changed(json: Json, workload: object): object {
  return { ...json, workload: { ...json.workload, ...workload } };
}
