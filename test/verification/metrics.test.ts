import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UserError } from '../../src/errors.js';
import { verifyMetrics } from '../../src/verification/metrics.js';
import { fixture } from '../helpers/fixtures.js';

describe('verifyMetrics', () => {
  let dir: string;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'gsva-verify-metrics-'));
    for (const name of ['case.json', 'predictions.safetensors']) {
      copyFileSync(fixture('metrics', name), join(dir, name));
    }
  });
  afterEach(() => {
    rmSync(dir, { recursive: true });
  });

  /** Replaces the first occurrence in the copied case.json. */
  function alterCase(from: string, to: string): void {
    const path = join(dir, 'case.json');
    const text = readFileSync(path, 'utf8');
    expect(text).toContain(from);
    writeFileSync(path, text.replace(from, to));
  }

  test('reproduces every figure of the reference and of the definitions to 1e-6', () => {
    const items = verifyMetrics(fixture('metrics'));
    expect(items).toHaveLength(18);
    expect(items.filter((item) => !item.pass)).toEqual([]);
    expect(Math.max(...items.map((item) => item.largestError))).toBeLessThanOrEqual(1e-6);
  });

  test('fails when an expected figure is altered', () => {
    alterCase('"cIoU": 0.5020565390586853', '"cIoU": 0.5020545390586853');
    const failed = verifyMetrics(dir).filter((item) => !item.pass);
    expect(failed.map((item) => item.item)).toEqual(['grefcoco cIoU']);
  });

  test('fails when an answer is altered', () => {
    alterCase('[138, 254, 305, 600,', '[138, 254, 305, 601,');
    expect(verifyMetrics(dir).some((item) => !item.pass)).toBe(true);
  });

  test('fails when one pixel of a target or the sign of one logit is altered', () => {
    const path = join(dir, 'predictions.safetensors');
    const original = readFileSync(path);
    const dataStart = 8 + Number(original.readBigUInt64LE(0));
    const header = JSON.parse(original.toString('utf8', 8, dataStart)) as Record<
      string,
      { data_offsets: [number, number] }
    >;
    const offsetOf = (name: string): number => dataStart + (header[name]?.data_offsets[0] ?? NaN);
    for (const [at, bit] of [
      [offsetOf('3.gt'), 1],
      [offsetOf('3.logits') + 4 * 38 * 37 + 3, 0x80],
    ] as const) {
      const altered = Buffer.from(original);
      altered[at] = (altered[at] ?? 0) ^ bit;
      writeFileSync(path, altered);
      expect(verifyMetrics(dir).some((item) => !item.pass)).toBe(true);
    }
  });

  test.each([
    ['"seg": 600', '"seg": "600"', /"seg" is "600", expected a whole number of at least 1/],
    ['"n": 6', '"n": 5', /samples\[0\] has 5 expressions but 6 answers/],
    ['"height": 29', '"height": 28', /0\.gt has the shape \[6, 29, 26\]; case\.json says \[6, 28, 26\]/],
    ['"strict": {"gIoU"', '"strict": {"gIou"', /expected\.strict\.gIou is not a figure/],
    ['"rec": {"Prec@0.5": 0.034482758620689655}', '"rec": {}', /in "expected\.rec" the key "Prec@0\.5" is missing/],
    ['"samples": [', '"samples": [1, ', /"samples\[0\]" is 1, expected an object/],
  ])('a damaged case.json (%s → %s) is named in the error', (from, to, message) => {
    alterCase(from, to);
    expect(() => verifyMetrics(dir)).toThrow(message);
    expect(() => verifyMetrics(dir)).toThrow(UserError);
  });

  test('a missing file is named in the error', () => {
    rmSync(join(dir, 'predictions.safetensors'));
    expect(() => verifyMetrics(dir)).toThrow(/predictions\.safetensors/);
    rmSync(join(dir, 'case.json'));
    expect(() => verifyMetrics(dir)).toThrow(/case\.json/);
  });
});
