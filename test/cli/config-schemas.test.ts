/** JSON schemas for editors: as the sources have them, and true of every configuration that is shipped. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { Ajv } from 'ajv';
import JSON5 from 'json5';
import { configSchemas } from '../../src/cli/config-schemas.js';

type Json = Record<string, unknown>;
const SCHEMAS = join('configs', 'schema');
const ajv = new Ajv({ allErrors: true, strict: false });
const validators = new Map(Object.entries(configSchemas()).map(([name, schema]) => [name, ajv.compile(schema)]));
const read = (path: string): Json => JSON5.parse(readFileSync(path, 'utf8'));
const files = readdirSync('configs', { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.json5'))
  .map((path) => join('configs', path));

test('configs/schema holds what the sources give: npm run schema', () => {
  expect(readdirSync(SCHEMAS).sort()).toEqual([...validators.keys()].sort());
  for (const [name, schema] of Object.entries(configSchemas())) {
    expect(read(join(SCHEMAS, name))).toEqual(JSON.parse(JSON.stringify(schema)));
  }
});

describe.each([...files, join('configs', 'bench-7b', 'config.json')])('%s', (path) => {
  test('names its schema, and keeps to it', () => {
    const json = read(path);
    const named = resolve(dirname(path), String(json['$schema']));
    expect(dirname(named)).toBe(resolve(SCHEMAS));
    const validate = validators.get(named.slice(resolve(SCHEMAS).length + 1));
    expect(validate?.(json)).toBe(true);
  });
});

test.each<[string, Json]>([
  ['a misspelt key', { training: { batchsize: 4 } }],
  ['a word for a number', { training: { batchSize: 'many' } }],
  ['too small a number', { maxLength: 3 }],
  ['a key of no kind of data', { data: { folder: 'x' } }],
  ['an unknown size', { model: { lora: { rank: 4 } } }],
])('%s is marked', (_, json) => {
  expect(validators.get('training.schema.json')?.(json)).toBe(false);
});

test('keys are described, and null takes back what an extended file says', () => {
  expect(JSON.stringify(configSchemas()['training.schema.json'])).toContain('Micro-batches in an update');
  const taken = { start: null, training: { bestMetric: null, schedule: { maxMinutes: null } } };
  expect(validators.get('training.schema.json')?.(taken)).toBe(true);
});
