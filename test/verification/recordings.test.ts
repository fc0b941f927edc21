/** Recordings are recognised by what is in them: kind by files, system by keys, never by the folder's name. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { findRecordings } from '../../src/verification/recordings.js';
import { FIXTURES, fixture } from '../helpers/fixtures.js';

let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gsva-recordings-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

function kindsAt(path: string): string[] {
  return findRecordings(path).recordings.map(({ subject, folder: at }) => `${at}: ${subject.system} ${subject.kind}`);
}

/** A copy of a recording whose JSON file was changed. */
function altered(name: string, file: string, change: (json: Record<string, unknown>) => object): string {
  const copy = join(folder, 'a name that says nothing');
  cpSync(fixture(name), copy, { recursive: true });
  const json = JSON.parse(readFileSync(join(copy, file), 'utf8')) as Record<string, unknown>;
  writeFileSync(join(copy, file), JSON.stringify(change(json)));
  return copy;
}

describe('findRecordings', () => {
  test('recognises every kind in the folder that holds them', () => {
    expect(kindsAt(FIXTURES)).toEqual([
      `${fixture('checkpoints-tiny-lisa')}: lisa checkpoints`,
      `${fixture('datasets')}: gsva datasets`,
      `${fixture('gsva-tiny')}: gsva model`,
      `${fixture('images')}: gsva images`,
      `${fixture('lisa-metrics')}: lisa metrics`,
      `${fixture('lisa-text')}: lisa text`,
      `${fixture('lisa-tiny')}: lisa model`,
      `${fixture('metrics')}: gsva metrics`,
      `${fixture('self1e-images')}: self1e images`,
      `${fixture('self1e-metrics')}: self1e metrics`,
      `${fixture('self1e-tiny')}: self1e model`,
      `${fixture('self1e-tokenizer')}: self1e tokenizer`,
      `${fixture('tokenizer')}: gsva tokenizer`,
    ]);
  });

  test('takes a recording itself', () => {
    expect(kindsAt(fixture('metrics'))).toEqual([`${fixture('metrics')}: gsva metrics`]);
  });

  test('the key "system" decides, whatever the rest looks like', () => {
    const named = altered('gsva-tiny', 'config.json', (json) => ({ ...json, tokens: {}, system: 'gsva' }));
    expect(kindsAt(named)).toEqual([`${named}: gsva model`]);
    rmSync(named, { recursive: true });
    const inCase = altered('gsva-tiny', 'case.json', (json) => ({ ...json, system: 'other' }));
    expect(() => findRecordings(inCase)).toThrow('not known here');
    rmSync(inCase, { recursive: true });
    const other = altered('gsva-tiny', 'config.json', (json) => ({ ...json, system: 'other' }));
    expect(() => findRecordings(other)).toThrow(
      /holds results of a system or kind that is not known here \(by config\.json\)\. Known recordings.*gsva model/,
    );
  });

  test('without that key a model that lacks [REJ] is not taken for GSVA', () => {
    const lacking = altered('gsva-tiny', 'config.json', (json) => ({ ...json, tokens: { gnd: [600] } }));
    expect(() => findRecordings(lacking)).toThrow('not known here');
  });

  test('names the file that a recording lacks', () => {
    cpSync(fixture('metrics', 'predictions.safetensors'), join(folder, 'predictions.safetensors'));
    expect(() => findRecordings(folder)).toThrow('case.json is missing in this recording (metrics)');
  });

  test('a signed recording that lost the file that shows its kind is named, not left out', () => {
    for (const name of ['metrics', 'tokenizer']) cpSync(fixture(name), join(folder, name), { recursive: true });
    rmSync(join(folder, 'metrics', 'predictions.safetensors'));
    expect(() => findRecordings(folder)).toThrow('predictions.safetensors is missing in this recording (metrics)');
    rmSync(join(folder, 'metrics', 'SHA256SUMS'));
    expect(findRecordings(folder).leftOut).toEqual([`${join(folder, 'metrics')} holds no recorded results`]);
  });

  test('refuses what holds no recording', () => {
    mkdirSync(join(folder, 'empty'));
    expect(() => findRecordings(folder)).toThrow('holds no recorded results');
    expect(() => findRecordings(join(folder, 'none'))).toThrow('no such folder');
  });
});
