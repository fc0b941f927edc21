import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, describe, expect, test } from '@jest/globals';

import { UserError } from '../../src/errors.js';
import { verifyLisaMetrics } from '../../src/verification/lisa-metrics.js';
import { fixture } from '../helpers/fixtures.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-verify-lisa-metrics-'));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

function altered(change: (text: string) => string): string {
  const dir = mkdtempSync(join(scratch, 'copy-'));
  cpSync(fixture('lisa-metrics'), dir, { recursive: true });
  writeFileSync(join(dir, 'case.json'), change(readFileSync(join(dir, 'case.json'), 'utf8')));
  return dir;
}

describe('verifyLisaMetrics', () => {
  test('both kinds pass: pixels exactly, figures within 1e-6', () => {
    const items = verifyLisaMetrics(fixture('lisa-metrics'));
    expect(items.map(({ item, tolerance, pass }) => [item, tolerance, pass])).toEqual(
      ['reason_seg', 'refer_seg'].flatMap((kind) => [
        [`LISA, ${kind}: pixels`, 0, true],
        [`LISA, ${kind}: gIoU and cIoU of each picture`, 1e-6, true],
        [`LISA, ${kind}: gIoU and cIoU`, 1e-6, true],
      ]),
    );
    for (const { largestError } of items) expect(largestError).toBeLessThan(1e-7);
  });

  test.each([
    ['a count', /"union": \[\s*175/, '"union": [176', 'LISA, reason_seg: pixels'],
    ['a figure', '0.5767318', '0.5767338', 'LISA, reason_seg: gIoU and cIoU'],
    ['a figure of a picture', '0.6373906', '0.6373926', 'LISA, refer_seg: gIoU and cIoU of each picture'],
  ])('%s that was altered fails alone', (_, found, changed, item) => {
    const items = verifyLisaMetrics(altered((text) => text.replace(found, changed)));
    expect(items.filter(({ pass }) => !pass).map((each) => each.item)).toEqual([item]);
  });

  test('a missing part is named', () => {
    const dir = altered((text) => text.replace('"giou"', '"gIoU"'));
    expect(() => verifyLisaMetrics(dir)).toThrow(/case\.json .*expected an object with the key "giou"/);
    const renamed = altered((text) => text.replace('"reason_seg"', '"reason"'));
    expect(() => verifyLisaMetrics(renamed)).toThrow(/reason\.0\.gt .* is missing/);
    expect(() => verifyLisaMetrics(join(scratch, 'nowhere'))).toThrow(UserError);
  });
});
