/** SELF1E's recorded metrics: intersections and unions exactly, figures to 1e-6; what was altered fails alone. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { UserError } from '../../src/errors.js';
import { verifySelf1eMetrics } from '../../src/verification/self1e-metrics.js';
import { fixture } from '../helpers/fixtures.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-verify-self1e-metrics-'));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

const COUNTS = 'SELF1E: intersections and unions';
const EACH = 'SELF1E: gIoU and cIoU of each picture';
const ALL = 'SELF1E: gIoU and cIoU';

function altered(change: (text: string) => string): string {
  const dir = mkdtempSync(join(scratch, 'copy-'));
  cpSync(fixture('self1e-metrics'), dir, { recursive: true });
  const text = readFileSync(join(dir, 'case.json'), 'utf8');
  writeFileSync(join(dir, 'case.json'), change(text));
  return dir;
}

describe('verifySelf1eMetrics', () => {
  test('passes: pixels exactly, figures far below the tolerance', () => {
    const items = verifySelf1eMetrics(fixture('self1e-metrics'));
    expect(items.map(({ item, tolerance, pass }) => [item, tolerance, pass])).toEqual([
      [COUNTS, 0, true],
      [EACH, 1e-6, true],
      [ALL, 1e-6, true],
    ]);
    for (const { largestError } of items) expect(largestError).toBeLessThan(1e-7);
  });

  test.each([
    ['a count', '[168,423]', '[168,424]', [COUNTS]],
    ['a figure of all', '0.3924297', '0.3924317', [ALL]],
    ['a figure of a picture', '0.2856535', '0.2856555', [EACH]],
  ])('%s that was altered fails alone', (_, found, changed, names) => {
    const items = verifySelf1eMetrics(altered((text) => text.replaceAll(' ', '').replace(found, changed)));
    expect(items.filter(({ pass }) => !pass).map(({ item }) => item)).toEqual(names);
  });

  test('a missing part is named', () => {
    expect(() => verifySelf1eMetrics(altered((text) => text.replace('"giou"', '"gIoU"')))).toThrow(
      /case\.json .*expected an object with the key "giou"/,
    );
    const shorter = (text: string): string => {
      const { all, each } = JSON.parse(text) as { all: object; each: object[] };
      return JSON.stringify({ all, each: each.slice(1) });
    };
    expect(() => verifySelf1eMetrics(altered(shorter))).toThrow(/32 tensors, case\.json lists 15 pictures/);
    expect(() => verifySelf1eMetrics(join(scratch, 'nowhere'))).toThrow(UserError);
  });
});
